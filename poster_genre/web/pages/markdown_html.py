"""The little Markdown that the model card needs, as HTML. Everything is escaped first."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from textwrap import dedent

INLINE: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"`([^`]+)`", r"<code>\1</code>"),
    (r"\*\*([^*]+)\*\*", r"<strong>\1</strong>"),
    (r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])", r"<em>\1</em>"),
    (r"!\[([^\]]*)\]\([^)]*\)", r"\1"),
    (r"\[([^\]]+)\]\((https?://[^)\s]+)\)", r'<a href="\2" rel="noreferrer">\1</a>'),
    (r"\[([^\]]+)\]\([^)]*\)", r"\1"),
)


def to_html(text: str) -> str:
    """Headings (one level lower), paragraphs, lists, tables, code; links to the web, no pictures."""
    out: list[str] = []
    for block in blocks(text):
        first = block[0]
        if first.startswith("```"):
            out.append(f'<pre tabindex="0"><code>{escape(chr(10).join(block[1:]))}</code></pre>')
        elif all(line.startswith("    ") for line in block):
            out.append(f'<pre tabindex="0"><code>{escape(dedent(chr(10).join(block)))}</code></pre>')
        elif heading := re.match(r"(#{1,5})\s+(.*)", first):
            level = len(heading[1]) + 1
            out.append(f"<h{level}>{inline(heading[2])}</h{level}>")
            if len(block) > 1:
                out.append(to_html("\n".join(block[1:])))
        elif first.lstrip().startswith("|"):
            out.append(table(block))
        elif items := list_items(block):
            tag, entries = items
            out.append(f"<{tag}>" + "".join(f"<li>{inline(entry)}</li>" for entry in entries) + f"</{tag}>")
        else:
            out.append(f"<p>{inline(' '.join(block))}</p>")
    return "\n".join(out)


def blocks(text: str) -> list[list[str]]:
    """Lines that belong together: split at blank ones, except inside a fence."""
    found: list[list[str]] = [[]]
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            if not fenced:
                found.append([line])
            fenced = not fenced
            if not fenced:
                found.append([])
        elif fenced or line.strip():
            found[-1].append(line)
        else:
            found.append([])
    return [block for block in found if block]


def inline(text: str) -> str:
    out = escape(text.strip())
    for pattern, replacement in INLINE:
        out = re.sub(pattern, replacement, out)
    return out


def list_items(block: list[str]) -> tuple[str, list[str]] | None:
    """("ul" or "ol", entries); a line without a bullet goes on with the entry before it."""
    start = re.match(r"\s*([-*+]|\d+\.)\s+", block[0])
    if start is None:
        return None
    entries: list[str] = []
    for line in block:
        bullet = re.match(r"\s*([-*+]|\d+\.)\s+(.*)", line)
        if bullet:
            entries.append(bullet[2])
        else:
            entries[-1] += f" {line.strip()}"
    return ("ol" if start[1][0].isdigit() else "ul"), entries


def table(block: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block]
    head, body = rows[0], [row for row in rows[1:] if not all(re.fullmatch(r":?-+:?", c) for c in row)]
    top = "".join(f'<th scope="col">{inline(cell)}</th>' if cell else "<td></td>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{inline(cell)}</td>" for cell in row) + "</tr>" for row in body)
    return (
        '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>'
        f"<thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
