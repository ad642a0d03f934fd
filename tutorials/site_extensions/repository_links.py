"""Links to files of the repository, which on the site are pages, sources of modules or downloads.

A page of the site may include a Markdown file from elsewhere in the repository. Its links are relative
to that file, and are changed to lead to the page of the site, or to the file as a download. A code span
that names a module, a package or a public object, as in ``minicnn/layers/conv.py``, ``minicnn.layers``
or ``mc.Conv2D``, becomes a link to its source or to its reference.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

LINK = re.compile(r"(\]\()([^)\s]+)(\))")
COURSE = "tutorials"
"""The folder of the site's sources in the repository."""


def rewritten(markdown: str, folder: str, pages: Mapping[str, str]) -> str:
    """The text of a Markdown file in ``folder`` of the repository, with links for the site.

    pages: the page of the site by the file that it includes. Links to hosts and inside the file stay.
    """

    def target(match: re.Match[str]) -> str:
        before, link, after = match.groups()
        if link.startswith(("#", "http://", "https://", "mailto:")):
            return match[0]
        path, sharp, fragment = link.partition("#")
        file = posixpath.normpath(posixpath.join(folder, path))
        page = pages.get(file) or pages.get(f"{file}/README.md")
        if page is not None:
            file = f"{COURSE}/{page}.md"
        below = posixpath.relpath(file, COURSE)
        return f"{before}/{below}{sharp}{fragment}{after}"

    return LINK.sub(target, markdown)


def rewrite_included(app: Sphinx, relative_path: Path, parent: str, content: list[str]) -> None:
    """The event ``include-read``: ``relative_path`` starts at the site's sources."""
    file = posixpath.normpath(posixpath.join(COURSE, relative_path.as_posix()))
    if not file.startswith(f"{COURSE}/"):
        content[0] = rewritten(content[0], posixpath.dirname(file), app.config.included_pages)


def source_page(path: str) -> tuple[str, str] | None:
    """For ``minicnn/layers/conv.py`` its module and ""; for ``minicnn/layers/`` "" and its package."""
    match = re.fullmatch(r"((?:minicnn|poster_genre)(?:/\w+)*?)(?:(/__init__)?\.py|/)", path)
    if match is None:
        return None
    name = match[1].replace("/", ".")
    return (name, "") if path.endswith(".py") and not match[2] else ("", name)


def link_code_spans(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """The event ``doctree-resolved``: code spans that name a part of the packages become links."""
    if app.builder.format != "html":
        return
    for literal in list(doctree.findall(nodes.literal)):
        if isinstance(literal.parent, nodes.reference) or literal.parent.parent is None:
            continue
        address = _address(app, docname, literal.astext())
        if address is not None:
            reference = nodes.reference("", "", internal=True, refuri=address)
            literal.replace_self(reference)
            reference += literal


def _address(app: Sphinx, docname: str, text: str) -> str | None:
    """Where the thing with this name is on the site, relative to a page; None where it is nowhere."""
    place = source_page(text)
    if place is not None and place[0]:  # a module
        if not getattr(app.env, "_viewcode_modules", {}).get(place[0]):
            return None
        page = "_modules/" + place[0].replace(".", "/")
        return app.builder.get_relative_uri(docname, page)
    name = place[1] if place is not None else _full_name(text)
    entry = app.env.domains.python_domain.objects.get(name)
    if entry is None or (entry.docname == docname and entry.objtype != "module"):
        return None
    return f"{app.builder.get_relative_uri(docname, entry.docname)}#{entry.node_id}"


def _full_name(text: str) -> str:
    """``mc.Conv2D`` as ``minicnn.layers.conv.Conv2D``; other dotted names as they are."""
    import minicnn

    match = re.fullmatch(r"(?:mc|minicnn)\.(\w+)(?:\(\))?", text)
    if match and match[1] in minicnn.__all__ and match[1] != "__version__":
        thing = getattr(minicnn, match[1])
        return f"{thing.__module__}.{thing.__qualname__}"
    return text


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the events, and add the option ``included_pages``."""
    app.add_config_value("included_pages", {}, "env", dict)
    app.connect("include-read", rewrite_included)
    app.connect("doctree-resolved", link_code_spans)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
