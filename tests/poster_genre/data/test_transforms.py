"""Resizing and normalisation."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from poster_genre.data.transforms import Normalisation, load_poster
from poster_genre.errors import PosterGenreError

PICTURE = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def test_a_poster_of_one_pixel_is_one_colour_at_any_size() -> None:
    data = encode(Image.new("RGB", (1, 1), (10, 200, 30)), "PNG")
    assert (load_poster(data, (120, 80)) == (10, 200, 30)).all()


@settings(max_examples=30)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_resizing_gives_height_by_width_within_the_range_of_a_flat_image(
    image: np.ndarray, height: int, width: int
) -> None:
    assert load_poster(image, (height, width)).shape == (height, width, 3)
    flat = np.broadcast_to(image[:1, :1], image.shape)
    assert (load_poster(np.ascontiguousarray(flat), (height, width)) == image[0, 0]).all()


def test_a_poster_of_300_and_the_same_of_208_pixels_give_nearly_the_same_input() -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (37, 25, 3), dtype=np.uint8))
    original = coarse.resize((300, 444), Image.Resampling.BICUBIC)
    shrunk = original.resize((208, 308), Image.Resampling.LANCZOS)
    one, other = (load_poster(image, (120, 80)).astype(float) for image in (original, shrunk))
    assert np.abs(one - other).mean() < 1.5
    assert np.abs(one - one.mean()).mean() > 20


def test_shrinking_averages_over_all_pixels() -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(load_poster(stripes, (16, 16)).astype(int) - 127)[:, 2:-2].max() <= 3


@pytest.mark.parametrize("size", [(0, 4), (4, -1)])
def test_an_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(PosterGenreError, match="at least"):
        load_poster(PICTURE, size)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.just(3))))
@settings(max_examples=30)
def test_normalising_subtracts_the_mean_and_divides_by_std(images: np.ndarray) -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    normalisation = Normalisation(mean, std)
    result = normalisation.apply(images, np.float64)
    np.testing.assert_allclose(result, (images / 255 - mean) / std, atol=1e-9)
    single = normalisation.apply(images)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, result, atol=1e-3, rtol=1e-4)


def test_normalisation_without_arguments_scales_to_0_to_1() -> None:
    np.testing.assert_allclose(Normalisation().apply(PICTURE[None]), PICTURE[None] / 255, rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Normalisation((0, 0, 0), (1, 0, 1)),
        lambda: Normalisation((0, 0, np.nan), (1, 1, 1)),
        lambda: Normalisation((0, 0), (1, 1)),
        lambda: Normalisation().apply(np.zeros((1, 2, 2, 3))),
        lambda: Normalisation().apply(np.zeros((1, 2, 2, 4), np.uint8)),
    ],
)
def test_an_impossible_normalisation_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(PosterGenreError, match="Normalisation"):
        make()


def test_importing_loads_neither_pillow_nor_pandas() -> None:
    code = (
        "import sys, poster_genre.data.transforms, poster_genre.data.dataset\n"
        "print('PIL' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
