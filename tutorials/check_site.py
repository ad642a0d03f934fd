"""Check the built site: every link inside it leads somewhere, and nothing is loaded from another host.

    python tutorials/check_site.py site         exits 1 where one does not

Links that a reader may follow to another host are allowed; scripts, styles, pictures and fonts from one
are not. Addresses that pages make in JavaScript are not seen.
"""

from __future__ import annotations

import posixpath
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
STYLE_ADDRESS = re.compile(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)")


class Page(HTMLParser):
    """The anchors of a page, the links in it, and what a browser loads for it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take notes of one element."""
        attributes = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := attributes.get(key))}
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"] or "")
        address = attributes.get(LOADED.get(tag, ""))
        if address and attributes.get("rel") not in ("canonical", "author", "license"):
            self.loaded.add(address)


def foreign(address: str) -> bool:
    """Whether a browser would ask another host for it."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def problems(folder: Path) -> list[str]:
    """What is wrong with the site in ``folder``, one sentence each."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    pages = {name: Page(file.read_text()) for name, file in files.items() if name.endswith(".html")}
    found = []
    for name, file in files.items():
        if name.endswith(".css"):
            addresses = STYLE_ADDRESS.findall(file.read_text())
            found += [f"{name} loads {address}" for address in addresses if foreign(address)]
    for name, page in pages.items():
        found += [f"{name} loads {address}" for address in sorted(page.loaded) if foreign(address)]
        for link in sorted(page.links | page.loaded):
            if foreign(link) or link.startswith("data:"):
                continue
            path, _, fragment = link.partition("#")
            path = unquote(path.partition("?")[0])
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            if target not in files:
                found.append(f"{name} links to {link}: there is no such file")
            elif fragment and target in pages and unquote(fragment) not in pages[target].anchors:
                found.append(f"{name} links to {link}: the page has no such anchor")
    return found


def main(arguments: list[str]) -> int:
    """The command."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = problems(Path(arguments[0]))
    print(
        "\n".join(found) if found else f"{arguments[0]}: every link leads somewhere, no other host is needed"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
