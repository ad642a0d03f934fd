"""Mathematics without a network: LaTeX becomes MathML while the site is built, and browsers draw that.

It is the renderer ``html_math_renderer = "mathml"`` of Sphinx. A formula that latex2mathml does not
understand is a warning with its place, which ``sphinx -W`` makes an error.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

TYPESETTING = (
    (re.compile(r"<mo>([A-Za-z]+)</mo>(?=<mo[^>]*>(?:&#x00028;|\())"), r"<mi>\1</mi>"),  # max(a, b)
    (
        re.compile(r"(<mi>(?:log|ln|exp|sin|cos|tanh)</mi>)(?!<mo|</)"),
        r'\1<mspace width="0.167em" />',
    ),  # log p
    (re.compile(r'<mo accent="true">&#x02015;</mo>'), '<mo stretchy="true">&#x00203E;</mo>'),  # overline
    (re.compile(r"<msup>(<mi>[^<]*</mi>)(<mi>&#x0203[2-4];</mi>)</msup>"), r"<mrow>\1\2</mrow>"),  # f'
)


def mathml(latex: str, *, block: bool) -> str:
    """A formula as a ``<math>`` element. ValueError where it is not understood.

    latex2mathml raises exceptions of many kinds for formulas that end too early. A command, a column or
    a row that it has no element for it puts out as a backslash, an ampersand or a line break.
    """
    try:
        element = convert(in_an_environment(latex), display="block" if block else "inline")
    except Exception as error:
        raise ValueError(f"{type(error).__name__} {error}".strip()) from error
    unknown = re.search(r"\\\w*|<mi>&</mi>|linebreak", element)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not understood")
    return typeset(element)


def typeset(element: str) -> str:
    """MathML with the distances that TeX gives function names, primes of full size and bars that fit.

    The font's primes are small and raised already. latex2mathml's bar over a formula does not stretch.
    """
    for pattern, replacement in TYPESETTING:
        element = pattern.sub(replacement, element)
    return element


def in_an_environment(latex: str) -> str:
    r"""Rows that end in ``\\`` outside any environment, and ``aligned``, as ``split``.

    latex2mathml knows ``split``, and its columns and rows are the same.
    """
    latex = latex.replace("{aligned}", "{split}")
    if "\\\\" in latex and "\\begin" not in latex and "\\substack" not in latex:
        return f"\\begin{{split}}{latex}\\end{{split}}"
    return latex


def _append(translator: Any, node: nodes.Element, *, block: bool) -> None:
    try:
        element = mathml(node.astext(), block=block)
    except ValueError as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node, type="mathml")
        element = f"<code>{translator.encode(node.astext())}</code>"
    if not block:
        translator.body.append(element)
        raise nodes.SkipNode
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    anchor = f' id="{node["ids"][0]}"' if node["ids"] else ""
    translator.body.append(f'<div class="math-block"{anchor}>{element}{number}</div>\n')
    raise nodes.SkipNode


def visit_math(translator: Any, node: nodes.math) -> None:
    """Write an inline formula."""
    _append(translator, node, block=False)


def visit_math_block(translator: Any, node: nodes.math_block) -> None:
    """Write a display formula."""
    _append(translator, node, block=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
