"""Markdown as HTML, by markdown-it-py: no raw HTML, no pictures, links to the web only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

WEB = re.compile(r"https?://", re.IGNORECASE)
TABLE = '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>'


def document_html(text: str) -> Markup:
    """A document. Its headings are one level lower, because the page has an h1 of its own."""
    return Markup(parser().render(text))


def inline_html(text: str) -> Markup:
    """One line: code, emphasis and links, without a paragraph around it."""
    return Markup(parser().renderInline(text))


@cache
def parser() -> MarkdownIt:
    """CommonMark with tables. What it may write is decided in ``restrict``."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.validateLink = lambda url: True  # type: ignore[method-assign]  # ``restrict`` drops the others
    markdown.core.ruler.push("restrict", restrict)
    markdown.add_render_rule("table_open", lambda *_: TABLE)
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    for name in ("fence", "code_block"):
        markdown.add_render_rule(name, code_block)
    return markdown


def code_block(renderer: object, tokens: list[Token], index: int, *_: object) -> str:
    """A block of code that the keyboard can scroll."""
    return f'<pre tabindex="0"><code>{escapeHtml(tokens[index].content.rstrip())}</code></pre>\n'


def restrict(state: StateCore) -> None:
    """Lower headings, mark header cells, and reduce links and pictures to what may be shown."""
    for i, token in enumerate(state.tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif token.type in ("th_open", "td_open"):
            token.attrs.pop("style", None)  # the content policy forbids inline styles
            if token.type == "th_open":
                mark_header(token, state.tokens[i + 1], state.tokens[i + 2])
        elif token.type == "inline":
            token.children = list(allowed(token.children or []))


def mark_header(opening: Token, cell: Token, closing: Token) -> None:
    """``scope`` for a header cell; an empty one is no header."""
    if cell.content:
        opening.attrSet("scope", "col")
    else:
        opening.tag = closing.tag = "td"


def allowed(tokens: list[Token]) -> Iterator[Token]:
    """Inline tokens: links to the web as they are, of other links the text, of pictures the description."""
    links: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            links.append(bool(WEB.match(str(token.attrGet("href")))))
            token.attrSet("rel", "noreferrer")
        if token.type == "image":
            yield Token("text", "", 0, content=token.content)
        elif token.type not in ("link_open", "link_close") or links[-1]:
            yield token
        if token.type == "link_close":
            links.pop()
