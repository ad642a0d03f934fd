"""Pictures that are no posters: a fixed set, drawn by code, to measure how often a model notices.

    flat       one colour                       noise      pixels at random, fine or coarse
    gradient   one colour fading into another   pattern    stripes, checks, dots, a code of black squares
    document   lines of text, tables, a form    screen     web pages, a terminal, a chat, a spreadsheet
    chart      bars, lines, a pie, points

They have the layouts and sizes of the real thing, with words that mean nothing. Photographs are not among
them: what tells a photograph from a poster with a photograph is its lettering alone.

    python -m poster_genre.evaluation.non_posters --data Movies-Poster_Dataset.zip

prints how many of each kind a model flags, and how many posters of a data set.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from poster_genre.data.transforms import load_poster

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
EACH = 10
"""Pictures of a kind in a set."""
SYLLABLES = ("ka", "lo", "mi", "tre", "su", "ven", "dor", "an", "pel", "ri", "os", "tu")


def non_posters(size: tuple[int, int], first: int = 0) -> dict[str, np.ndarray]:
    """For each kind ``EACH`` pictures, uint8 (EACH, height, width, 3) at ``size = (height, width)``.

    The same ones every time; ``first`` is the number of the first picture, so ``first=EACH`` is another set.
    """
    numbers = range(first, first + EACH)
    return {
        kind: np.stack([load_poster(draw(np.random.default_rng([index, n]), n), size) for n in numbers])
        for index, (kind, draw) in enumerate(KINDS.items())
    }


def _picture(array: np.ndarray) -> Image.Image:
    from PIL import Image

    return Image.fromarray(np.clip(array, 0, 255).astype(np.uint8))


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _size(rng: np.random.Generator) -> tuple[int, int]:
    """(width, height): of a page upright or of a screen."""
    return ((600, 848), (1280, 800), (900, 900))[rng.integers(3)]


def flat(rng: np.random.Generator, number: int) -> Image.Image:
    """White, black, grey, red and others."""
    from PIL import Image

    named = ("white", "black", "gray", "red", "navy", "green", "beige")
    return Image.new("RGB", _size(rng), named[number] if number < len(named) else _colour(rng))


def noise(rng: np.random.Generator, number: int) -> Image.Image:
    """Random pixels in colour or grey, or random squares, blurred or not."""
    width, height = _size(rng)
    cell = (1, 4, 16, 64)[number % 4]
    shape = -(-height // cell), -(-width // cell), (1, 3)[number // 2 % 2]
    values = rng.integers(0, 256, shape) if rng.random() < 0.5 else rng.normal(128, 50, shape)
    small = _picture(np.broadcast_to(values, (*shape[:2], 3)))
    return small.resize((width, height), resample=int(rng.choice([0, 3])))


def gradient(rng: np.random.Generator, number: int) -> Image.Image:
    """From one colour to another, along an axis or from the middle."""
    width, height = _size(rng)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    share = (rows, columns, (rows + columns) / 2, np.hypot(rows - 0.5, columns - 0.5) * 1.4)[number % 4]
    start, end = np.array(_colour(rng)), np.array(_colour(rng))
    return _picture(start + (end - start) * share[:, :, None])


def pattern(rng: np.random.Generator, number: int) -> Image.Image:
    """Stripes, a chessboard, dots on a grid, or a code of black squares."""
    width, height = _size(rng)
    step = int(rng.choice([10, 20, 40, 80]))
    rows, columns = np.mgrid[0:height, 0:width]
    code = rng.integers(0, 2, (height // step + 1, width // step + 1))
    inside = (
        rows // step % 2,
        columns // step % 2,
        (rows // step + columns // step) % 2,
        np.hypot(rows % step - step / 2, columns % step - step / 2) < step / 3,
        code[rows // step, columns // step],
    )[number % 5]
    colours = ((255, 255, 255), (0, 0, 0)) if rng.random() < 0.5 else (_colour(rng), _colour(rng))
    return _picture(np.where(np.asarray(inside, bool)[:, :, None], colours[0], colours[1]))


def document(rng: np.random.Generator, _: int) -> Image.Image:
    """A page with paragraphs, a table or a form."""
    sheet, pen = _sheet((600, 848), "white")
    y = 50
    _words(pen, rng, (50, y), 3, 26, "black")
    y += 50
    while y < 780:
        kind = rng.integers(4)
        if kind == 0:
            for _row in range(int(rng.integers(3, 8))):
                for column in range(4):
                    pen.rectangle((50 + 125 * column, y, 175 + 125 * column, y + 26), outline="gray")
                    _words(pen, rng, (56 + 125 * column, y + 6), 1, 13, "black")
                y += 26
        elif kind == 1:
            _words(pen, rng, (50, y + 6), 2, 13, "black")
            pen.rectangle((240, y, 550, y + 26), outline="black")
            y += 30
        else:
            y = _paragraph(pen, rng, (50, y), int(rng.integers(3, 10)), "black")
        y += 16
    return sheet


def screen(rng: np.random.Generator, number: int) -> Image.Image:
    """A web page, a terminal, a chat or a spreadsheet."""
    return (_web_page, _terminal, _chat, _spreadsheet)[number % 4](rng, number // 4)


def _web_page(rng: np.random.Generator, number: int) -> Image.Image:
    size = (1280, 800) if rng.random() < 0.6 else (390, 844)
    dark = number % 2 == 1
    ground, ink, panel = ("#121317", "#e9eaec", "#1b1d23") if dark else ("#f7f6f3", "#1f2328", "white")
    page, pen = _sheet(size, ground)
    accent = _colour(rng)
    _words(pen, rng, (32, 24), 2, 20, ink)
    _words(pen, rng, (32, 80), 3, 38, ink)
    _paragraph(pen, rng, (32, 140), 2, "gray", width=min(700, size[0] - 64))
    pen.rounded_rectangle((32, 200, 190, 244), 8, fill=accent)
    _words(pen, rng, (48, 212), 2, 16, "white")
    across = max(1, (size[0] - 32) // 420)
    for card in range(int(rng.integers(2, 3 * across + 1))):
        x, y = 32 + card % across * 420, 270 + card // across * 180
        pen.rounded_rectangle((x, y, min(x + 400, size[0] - 16), y + 165), 10, fill=panel, outline="gray")
        _words(pen, rng, (x + 16, y + 14), 2, 18, ink)
        _paragraph(pen, rng, (x + 16, y + 50), 4, "gray", width=min(360, size[0] - 80))
    return page


def _terminal(rng: np.random.Generator, _: int) -> Image.Image:
    page, pen = _sheet((1280, 800), "black")
    colours = ("lime", "white", "cyan", "yellow", "lightgray")
    for y in range(12, 780, 20):
        if rng.random() < 0.85:
            indent = 12 + 24 * int(rng.integers(0, 4))
            _words(pen, rng, (indent, y), int(rng.integers(1, 14)), 15, colours[rng.integers(len(colours))])
    return page


def _chat(rng: np.random.Generator, _: int) -> Image.Image:
    page, pen = _sheet((390, 844), "#ece5dd")
    y = 20
    while y < 780:
        lines = int(rng.integers(1, 5))
        mine = rng.random() < 0.5
        left = 110 if mine else 16
        pen.rounded_rectangle(
            (left, y, left + 260, y + 20 * lines + 16), 12, fill="#dcf8c6" if mine else "white"
        )
        _paragraph(pen, rng, (left + 12, y + 8), lines, "black", width=235)
        y += 20 * lines + 30
    return page


def _spreadsheet(rng: np.random.Generator, _: int) -> Image.Image:
    page, pen = _sheet((1280, 800), "white")
    for y in range(0, 800, 25):
        pen.line((0, y, 1280, y), fill="lightgray")
    for x in range(0, 1280, 107):
        pen.line((x, 0, x, 800), fill="lightgray")
    pen.rectangle((0, 0, 1280, 25), fill="#e8eaed")
    for y in range(30, 800, 25):
        for x in range(6, 1280, 107):
            if rng.random() < 0.6:
                pen.text((x, y), f"{rng.normal(scale=1000):.2f}", fill="black", font=_font(13))
    return page


def chart(rng: np.random.Generator, number: int) -> Image.Image:
    """Bars, lines, a pie or points, with axes and a title."""
    sheet, pen = _sheet((900, 640), "white")
    _words(pen, rng, (300, 20), 3, 22, "black")
    kind = number % 4
    if kind == 3:
        start = 0.0
        for share in rng.dirichlet(np.ones(5)):
            pen.pieslice((250, 100, 650, 500), start, start + 360 * share, fill=_colour(rng), outline="white")
            start += 360 * share
        return sheet
    pen.line((80, 70, 80, 580, 860, 580), fill="black", width=2)
    for tick in range(6):
        pen.line((74, 580 - 95 * tick, 860, 580 - 95 * tick), fill="lightgray")
        pen.text((40, 572 - 95 * tick), str(20 * tick), fill="black", font=_font(14))
    colour, heights = _colour(rng), rng.uniform(40, 480, 12)
    for i, height in enumerate(heights):
        x = 100 + 62 * i
        if kind == 0:
            pen.rectangle((x, 580 - height, x + 40, 580), fill=colour)
        elif kind == 1 and i:
            pen.line((x - 62, 580 - heights[i - 1], x, 580 - height), fill=colour, width=3)
        elif kind == 2:
            for _ in range(8):
                px, py = x + rng.normal(scale=30), 580 - abs(height + rng.normal(scale=40))
                pen.ellipse((px - 4, py - 4, px + 4, py + 4), fill=colour)
    return sheet


def _sheet(size: tuple[int, int], ground: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", size, ground)
    return sheet, ImageDraw.Draw(sheet)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _words(
    pen: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    at: tuple[int, int],
    count: int,
    size: int,
    colour: str | Colour,
) -> None:
    words = ["".join(rng.choice(SYLLABLES, int(rng.integers(1, 4)))) for _ in range(count)]
    pen.text(at, " ".join(words), fill=colour, font=_font(size))


def _paragraph(
    pen: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    at: tuple[int, int],
    lines: int,
    colour: str,
    width: int = 500,
) -> int:
    """Lines of text; returns the y below them."""
    x, y = at
    for _ in range(lines):
        _words(pen, rng, (x, y), max(1, width // 58), 14, colour)
        y += 20
    return y


KINDS: dict[str, Callable[[np.random.Generator, int], Image.Image]] = {
    "flat": flat,
    "noise": noise,
    "gradient": gradient,
    "pattern": pattern,
    "document": document,
    "screen": screen,
    "chart": chart,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the share of each kind, and of a data set's posters, that a model finds unlike posters."""
    from poster_genre.data.arrays import split_arrays
    from poster_genre.data.dataset import load_dataset
    from poster_genre.model.model_file import load_model
    from poster_genre.model.out_of_distribution import cross_fitted_distances

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", help="a data set, of which the train and val posters are measured")
    parser.add_argument("--model-file", help="a model file; left out: the weights of the package")
    given = parser.parse_args(arguments)
    model = load_model(given.model_file)
    size = model.spec.input_size
    if model.distance is None:
        raise SystemExit("this model has no distance from posters: it was not calibrated on enough of them")
    seen = [non_posters(size), non_posters(size, first=EACH)]
    sets = [
        {kind: np.concatenate([each[kind] for each in seen]) for kind in KINDS},
        non_posters(size, 2 * EACH),
    ]
    print(f"{'flagged as unlike posters':<28}{'chosen on':>12}{'not seen':>14}")
    for kind in KINDS:
        shares = [model.distance.exceeded(model.descriptions(each[kind])).mean() for each in sets]
        print(f"{kind:<28}{shares[0]:>12.0%}{shares[1]:>14.0%}")
    for split in ("train", "val") if given.data else ():
        pixels, _, _ = split_arrays(load_dataset(given.data), split, size)
        descriptions = model.descriptions(pixels)
        fitted = split == "val" and len(pixels) == model.distance.posters
        squared = cross_fitted_distances(descriptions) if fitted else model.distance.squared(descriptions)
        note = ", cross-fitted" if fitted else ""
        print(f"{len(pixels):,} {split} posters{note}: {(squared > model.distance.limit).mean():.1%}")


if __name__ == "__main__":
    main()
