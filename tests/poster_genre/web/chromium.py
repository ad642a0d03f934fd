"""A real browser on the pages of a live server.

Screenshots go to the folder that POSTER_GENRE_SCREENSHOTS names, if it does.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
DONE = '#reading[data-state="done"]'
Encode = Callable[..., bytes]
Open = Callable[..., Any]


@contextmanager
def launched() -> Iterator[Any]:
    """Chromium; where it or Playwright is missing the test is skipped, with the reason."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the extra browser")
    if CHROMIUM is None:
        pytest.skip("needs chromium on the path")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES.split())
        yield browser
        browser.close()


@contextmanager
def opener(browser: Any, live: Any) -> Iterator[Open]:
    """Opens paths. In the end the console must be empty and no request may have left for elsewhere."""
    contexts, complaints = [], []

    def opened(path: str = "/", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(20_000)
        contexts.append(context)

        def only_here(route: Any) -> None:
            if route.request.url.startswith(live.url):
                route.continue_()
            else:
                complaints.append(f"a request to {route.request.url}")
                route.abort()

        context.route(re.compile("^(?!blob:|data:)"), only_here)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(live.url + path)
        return page

    opened.complaints = complaints  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        context.close()
    assert complaints == [], complaints


def shot(page: Any, name: str, **options: Any) -> None:
    """Keep a picture of the page, once transitions are over."""
    if folder := screenshots():
        page.wait_for_timeout(500)
        page.screenshot(path=folder / f"{name}.png", **options)


def screenshots() -> Path | None:
    """The folder for pictures, made where it is missing; None where none are wanted."""
    named = os.environ.get("POSTER_GENRE_SCREENSHOTS")
    if not named:
        return None
    folder = Path(named)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def violations(page: Any) -> list[tuple[str, str, str]]:
    """(rule, impact, element) of what the accessibility engine objects to."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra browser").Axe()
    results = axe.run(page).response["violations"]
    return [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in results]


def file(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def upload(page: Any, *files: dict[str, Any]) -> None:
    page.set_input_files("#file", list(files))


def shown(page: Any) -> list[tuple[str, str]]:
    """(genre, value) of every row, once there is an answer."""
    page.wait_for_selector(DONE)
    rows = page.locator(".genre")
    return [
        (rows.nth(i).locator(".name").text_content(), rows.nth(i).locator(".value").text_content())
        for i in range(rows.count())
    ]
