"""Draws the README's picture of the web page, with the shipped network."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.web.limits import Limits
from tests.poster_genre.web.chromium import DONE, launched
from tests.poster_genre.web.live_server import running

PICTURE = Path(__file__).parents[3] / "tutorials" / "images" / "web.png"
COLOURS = 192
EXAMPLE = "romance.jpg"


def main() -> None:
    with running(PosterGenreClassifier.load(), Limits()) as server, launched() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="dark")
        page.goto(server.url)
        page.click(f'[data-example$="{EXAMPLE}"]')
        page.wait_for_selector(DONE)
        page.click("#top .genre >> nth=0")
        page.wait_for_selector("#heat", state="visible")
        page.mouse.move(0, 0)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(1000)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
