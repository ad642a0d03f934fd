from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy import stats

from poster_genre.data.augment import Augmentation, Mixup, _colour_matrix
from poster_genre.errors import PosterGenreError

STILL = Augmentation(flip=0, min_area=1, aspect=1, brightness=0, contrast=0, saturation=0)
POSTERS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 20), st.just(3)))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def poster(seed: int = 0, size: tuple[int, int] = (30, 20)) -> np.ndarray:
    coarse = rng(seed).integers(0, 256, (size[0] // 5, size[1] // 5, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((5, 5, 1), np.uint8))


@settings(max_examples=40)
@given(POSTERS, st.integers(0, 2**32))
def test_it_is_a_function_of_poster_and_generator_that_keeps_shape_and_input(
    x: np.ndarray, seed: int
) -> None:
    before = x.copy()
    x.flags.writeable = False
    once, again = (Augmentation(erase=0.5)(x, rng(seed)) for _ in range(2))
    assert once.shape == x.shape
    assert once.dtype == np.uint8
    assert (once == again).all()
    assert (x == before).all()
    assert once.flags.writeable
    assert not np.shares_memory(once, x)


def test_with_everything_off_the_poster_stays_as_it_is() -> None:
    assert (STILL(poster(), rng()) == poster()).all()


def test_half_of_the_posters_are_mirrored_and_nothing_else_happens_to_them() -> None:
    flip = Augmentation(flip=0.5, min_area=1, aspect=1, brightness=0, contrast=0, saturation=0)
    x = poster()
    results = [flip(x, rng(seed)) for seed in range(400)]
    mirrored = sum((result == x[:, ::-1]).all() for result in results)
    assert all((result == x).all() or (result == x[:, ::-1]).all() for result in results)
    assert 150 < mirrored < 250


def test_crops_stay_inside_and_reach_every_edge() -> None:
    crop = Augmentation(flip=0, min_area=0.5, aspect=1.3, brightness=0, contrast=0, saturation=0)
    boxes = np.array([crop._crop(*rng(seed).random(4), 80, 120) for seed in range(500)])
    assert boxes.min() >= 0
    assert (boxes[:, 2] <= 80).all()
    assert (boxes[:, 3] <= 120).all()
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (80 * 120)
    assert area.max() <= 1
    assert 0.39 < area.min() < 0.55
    assert boxes[:, :2].min(axis=0).max() < 1
    assert (80 - boxes[:, 2]).min() < 1
    assert (120 - boxes[:, 3]).min() < 1


@settings(max_examples=40)
@given(st.floats(0.7, 1.3), st.floats(0.6, 1.4), st.floats(0.5, 1.5))
def test_colours_follow_the_formula(b: float, c: float, s: float) -> None:
    x = rng(5).integers(60, 190, (30, 20, 3), dtype=np.uint8)
    matrix = _colour_matrix(Image.fromarray(x), b, c, s)
    grey = x @ np.array([0.299, 0.587, 0.114])
    expected = b * (c * (s * x + (1 - s) * grey[..., None]) + (1 - c) * grey.mean())
    actual = x @ np.array(matrix).reshape(3, 4)[:, :3].T + np.array(matrix)[3::4]
    # The mean is that of 8-bit averages.
    np.testing.assert_allclose(actual, expected, atol=1.0)


def test_contrast_changes_by_at_most_its_share() -> None:
    x = np.full((10, 10, 3), 80, np.uint8)
    x[:, 5:] = 120
    still = {"flip": 0, "min_area": 1, "aspect": 1, "saturation": 0}
    jitter = Augmentation(brightness=0.0, contrast=0.4, **still)
    spread = [np.ptp(jitter(x, rng(seed)).astype(int)) for seed in range(300)]
    assert 23 <= min(spread) < 27
    assert 53 < max(spread) <= 57


def test_brightness_changes_by_at_most_its_share() -> None:
    light = Augmentation(flip=0, min_area=1, aspect=1, brightness=0.2, contrast=0, saturation=0)
    x = np.full((10, 10, 3), 100, np.uint8)
    values = [int(light(x, rng(seed))[0, 0, 0]) for seed in range(300)]
    assert 79 <= min(values) < 84
    assert 116 < max(values) <= 121


def test_no_saturation_makes_grey_and_grey_posters_stay_grey() -> None:
    grey = np.repeat(poster()[:, :, :1], 3, axis=2)
    result = Augmentation()(grey, rng(3)).astype(int)
    assert np.ptp(result, axis=2).max() <= 1


def test_erasing_greys_one_rectangle_of_5_to_20_percent() -> None:
    erase = Augmentation(flip=0, min_area=1, aspect=1, brightness=0, contrast=0, saturation=0, erase=1)
    x = np.full((100, 60, 3), 7, np.uint8)
    for seed in range(60):
        gone = (erase(x, rng(seed)) == 128).all(axis=2)
        rows, columns = np.flatnonzero(gone.any(1)), np.flatnonzero(gone.any(0))
        assert gone.sum() == len(rows) * len(columns)
        assert 0.04 < gone.mean() < 0.21


def test_other_settings_do_not_shift_the_draws() -> None:
    without = Augmentation(brightness=0, contrast=0, saturation=0, flip=0)
    with_flip = Augmentation(brightness=0, contrast=0, saturation=0, flip=1)
    x = poster()
    symmetric = np.concatenate([x, x[:, ::-1]], axis=1)
    assert (without(symmetric, rng(4)) == with_flip(symmetric, rng(4))).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Augmentation(flip=1.5),
        lambda: Augmentation(min_area=0),
        lambda: Augmentation(aspect=0.5),
        lambda: Augmentation(aspect=float("nan")),
        lambda: Augmentation(brightness=-0.1),
        lambda: Augmentation()(np.zeros((4, 4, 3)), rng()),
        lambda: Augmentation()(np.zeros((4, 4), np.uint8), rng()),
        lambda: Augmentation()(np.zeros((0, 4, 3), np.uint8), rng()),
        lambda: Mixup(0),
        lambda: Mixup(float("nan")),
        lambda: Mixup(0.2)(np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 25)), rng()),
        lambda: Mixup(0.2)(np.zeros((2, 4, 4, 3)), np.zeros((3, 25)), rng()),
    ],
)
def test_settings_and_arrays_out_of_range_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(PosterGenreError, match=r"Augmentation|Mixup"):
        make()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mixup_blends_inputs_and_targets_by_the_same_shares(dtype: type) -> None:
    n = 40
    x = np.repeat(np.arange(n, dtype=dtype)[:, None, None, None], 3, axis=3)
    y = np.eye(n, dtype=np.uint8)
    mixed_x, mixed_y = Mixup(0.4)(x, y, rng(1))
    assert mixed_x.dtype == mixed_y.dtype == dtype
    np.testing.assert_allclose(mixed_y.sum(axis=1), 1, rtol=1e-6)
    assert (np.count_nonzero(mixed_y, axis=1) <= 2).all()
    np.testing.assert_allclose(mixed_x[:, 0, 0, 0], mixed_y @ np.arange(n), rtol=1e-5)
    assert (x[:, 0, 0, 0] == np.arange(n)).all()
    mixtures = mixed_y[np.count_nonzero(mixed_y, axis=1) == 2]
    assert len(mixtures) > n / 2
    assert np.ptp(mixtures.max(axis=1)) < 1e-6  # one share for all of them


def test_mixups_shares_are_beta_distributed_over_the_batches() -> None:
    generator, shares = rng(2), []
    for _ in range(500):
        _, mixed = Mixup(2.0)(np.zeros((5, 1)), np.eye(5), generator)
        diagonal = np.diag(mixed)
        shares += list(diagonal[diagonal < 1][:1])
    assert len(shares) > 450
    assert stats.kstest(shares, stats.beta(2.0, 2.0).cdf).pvalue > 1e-3


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The definition: pad with the edge, cut out."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((height, height), (width, width), (0, 0)), mode="edge")
    return padded[height - down : 2 * height - down, width - right : 2 * width - right]


@given(POSTERS, st.integers(0, 2**32))
def test_a_shift_moves_the_poster_and_repeats_its_edge(image: np.ndarray, seed: int) -> None:
    shift = Augmentation(flip=0, min_area=1, aspect=1, brightness=0, contrast=0, saturation=0, shift=0.25)
    result, (height, width) = shift(image, rng(seed)), image.shape[:2]
    possible = [
        moved(image, down, right)
        for down in range(-round(0.25 * height), round(0.25 * height) + 1)
        for right in range(-round(0.25 * width), round(0.25 * width) + 1)
    ]
    assert any(np.array_equal(result, candidate) for candidate in possible)


def test_shifts_go_every_way_and_as_far_as_they_may() -> None:
    image = np.zeros((40, 20, 3), np.uint8)
    image[20, 10] = 255
    shift = Augmentation(flip=0, min_area=1, aspect=1, brightness=0, contrast=0, saturation=0, shift=0.1)
    positions = np.array([np.argwhere(shift(image, rng(seed))[..., 0])[0] for seed in range(300)])
    np.testing.assert_array_equal(positions.min(axis=0), [16, 8])
    np.testing.assert_array_equal(positions.max(axis=0), [24, 12])


def test_mixup_is_a_function_of_its_generator() -> None:
    x, y = rng(0).random((8, 3, 3, 3)), rng(1).integers(0, 2, (8, 25))
    for one, other in zip(Mixup(0.2)(x, y, rng(9)), Mixup(0.2)(x, y, rng(9)), strict=True):
        assert (one == other).all()
