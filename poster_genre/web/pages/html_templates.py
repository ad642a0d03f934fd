"""The Jinja2 templates below ``templates``. Every value is escaped unless it is Markup."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from poster_genre.web.pages.markdown_html import inline_html

NAVIGATION = (("", "Predict"), ("inside", "Inside"), ("model", "Model"), ("api", "API"))
"""(path below the start page, name) of the pages that every page links to."""


@cache
def environment() -> Environment:
    """Jinja2 with the filter ``markdown``, for one line of Markdown, and the global ``navigation``."""
    templates = Environment(
        loader=PackageLoader("poster_genre.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["markdown"] = inline_html
    templates.globals["navigation"] = NAVIGATION
    return templates


def render(template: str, **values: Any) -> str:
    """The HTML document of a template; ``values`` are its variables.

    ``root`` leads from the page's folder to the start page's, "" where they are the same. Every link is
    relative, so that a proxy can put the pages under any path.
    """
    return environment().get_template(template).render(**{"root": "", **values})
