"""``data``: posters a second from file to network, on drawn posters. The loader must be faster than training.

decode       one JPEG of 444x300 to pixels at the network's size, beside a plain loop with Pillow
augment      one augmented poster, beside the same augmentation with Pillow's ImageEnhance
cache_build  a data set decoded into an empty cache by all threads, beside the plain loop on one
cache_read   the same data set from the cache
loader       whole batches as in training: shuffled, augmented, mixed, normalised
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.harness import Case, Row, Settings, Side, comparison_row, rounded, take_turns, warm_up
from benchmarks.networks import NETWORKS
from benchmarks.peers import use_threads
from benchmarks.train_and_infer import training

POSTERS = 256
QUICK_POSTERS = 64
TRAINING_BATCH = 32


def cases() -> list[Case]:
    """A case for each of the works above."""
    works: dict[str, Callable[[str, Settings], Row]] = {
        "decode": _decode,
        "augment": _augment,
        "cache_build": _cache_build,
        "cache_read": _cache_read,
        "loader": _loader,
    }
    return [
        Case(f"data/{key}", functools.partial(measure, f"data/{key}"), quick=key in ("decode", "augment"))
        for key, measure in works.items()
    ]


def _decode(name: str, settings: Settings) -> Row:
    from poster_genre.data.transforms import load_poster

    size = NETWORKS["shipped"].input_size
    with _drawn(settings) as folder:
        files = sorted((folder / "Images").glob("*.jpg"))
        ours = Side("ours", lambda: [load_poster(file, size) for file in files])
        return _compare(name, settings, [ours, Side("pillow", lambda: _pillow_loop(files, size))], len(files))


def _cache_build(name: str, settings: Settings) -> Row:
    with _drawn(settings) as folder:
        files = sorted((folder / "Images").glob("*.jpg"))
        size = NETWORKS["shipped"].input_size

        def build() -> None:
            with tempfile.TemporaryDirectory(dir=folder) as empty:
                _cached(folder, Path(empty), settings)

        sides = [Side("ours", build), Side("pillow", lambda: _pillow_loop(files, size))]
        return _compare(name, settings, sides, len(files))


def _cache_read(name: str, settings: Settings) -> Row:
    with _drawn(settings) as folder:
        cache = folder / "cache"
        count = len(_cached(folder, cache, settings))

        def read() -> None:
            _cached(folder, cache, settings).sum()  # a memory map: the sum reads every page

        return _compare(name, settings, [Side("ours", read)], count)


def _augment(name: str, settings: Settings) -> Row:
    from poster_genre.data.augment import Augmentation

    height, width = NETWORKS["shipped"].input_size
    posters = np.random.default_rng(0).integers(0, 256, (64, height, width, 3), np.uint8)

    def augment_all(augment: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> None:
        for i, poster in enumerate(posters):
            augment(poster, np.random.default_rng([0, i]))

    sides = [Side("ours", lambda: augment_all(Augmentation()))]
    sides.append(Side("pillow", lambda: augment_all(_pillow_augment)))
    return _compare(name, settings, sides, len(posters))


def _loader(name: str, settings: Settings) -> Row:
    from poster_genre.model.networks import SPECS
    from poster_genre.training.fit import training_loader

    spec = SPECS["compact"]
    use_threads(settings)
    rng = np.random.default_rng(0)
    count = 512 if settings.quick else 2048
    x = rng.integers(0, 256, (count, *spec.input_size, 3), np.uint8)
    loader = training_loader(spec, x, (rng.random((count, 25)) < 0.1).astype(np.float32), seed=0)

    def epoch() -> None:
        for _ in loader.epoch(0):
            pass

    result = _compare(name, settings, [Side("ours", epoch)], count)
    row = training("train/shipped", NETWORKS["shipped"], TRAINING_BATCH, [], settings, seconds=4.0)
    result["training_images_per_second"] = row["ours"]
    result["times_training_speed"] = rounded(result["ours"] / row["ours"])
    return result


def _compare(name: str, settings: Settings, sides: list[Side], posters: int) -> Row:
    use_threads(settings)
    warm_up(sides)
    seconds = take_turns(sides, settings.budget(5.0))
    return comparison_row(name, "posters/s", seconds, work=posters, threads=settings.threads)


@contextmanager
def _drawn(settings: Settings) -> Iterator[Path]:
    """Inside, a folder with a drawn data set."""
    from poster_genre.drawing.synthetic import write_dataset

    with tempfile.TemporaryDirectory(prefix="posters-") as folder:
        count = QUICK_POSTERS if settings.quick else POSTERS
        yield Path(write_dataset(Path(folder) / "drawn", count, seed=0, progress=False))


def _cached(folder: Path, cache: Path, settings: Settings) -> np.ndarray:
    from poster_genre.data.cache import cached_posters
    from poster_genre.data.dataset import load_dataset

    before = os.environ.get("POSTER_GENRE_CACHE")
    os.environ["POSTER_GENRE_CACHE"] = str(cache)
    try:
        size = NETWORKS["shipped"].input_size
        return cached_posters(load_dataset(folder), size, progress=False, threads=settings.threads).images
    finally:
        if before is None:
            del os.environ["POSTER_GENRE_CACHE"]
        else:
            os.environ["POSTER_GENRE_CACHE"] = before


def _pillow_loop(files: list[Path], size: tuple[int, int]) -> np.ndarray:
    """Decode and resize as notebooks do."""
    from PIL import Image

    height, width = size
    pixels = []
    for file in files:
        with Image.open(file) as image:
            pixels.append(np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)))
    return np.stack(pixels)


def _pillow_augment(poster: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror, crop and stretch, brightness, contrast and saturation, each in a separate pass."""
    from PIL import Image, ImageEnhance, ImageOps

    image = Image.fromarray(poster)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    share = float(np.sqrt(rng.uniform(0.6, 1.0)))
    w, h = share * image.width, share * image.height
    x, y = rng.uniform(0, image.width - w), rng.uniform(0, image.height - h)
    image = image.resize(image.size, Image.Resampling.BILINEAR, box=(x, y, x + w, y + h))
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(rng.uniform(0.8, 1.2))
    return np.asarray(image)
