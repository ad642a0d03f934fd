"""Pictures that are unlike posters: the distance from posters, and what the packaged model finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minicnn.serialize import load, save
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.data.transforms import load_poster
from poster_genre.errors import PosterGenreError
from poster_genre.evaluation.non_posters import EACH, KINDS, main, non_posters
from poster_genre.model.model_file import load_model, save_model
from poster_genre.model.out_of_distribution import (
    COMPONENTS,
    FALSE_ALARMS,
    LEAST_POSTERS,
    cross_fitted_distances,
    fit_poster_distance,
)
from poster_genre.model.picture_statistics import STATISTICS, picture_statistics
from poster_genre.model.predictions import predict_pictures
from poster_genre.model.trained_model import TrainedModel

RNG = np.random.default_rng(12)


def descriptions(count: int = 700, features: int = 90) -> np.ndarray:
    """Of posters as if: correlated features with statistics that depend on them."""
    size = features + len(STATISTICS)
    mixing = np.random.default_rng(4).normal(size=(size, size)) * np.geomspace(3, 0.1, size)
    return RNG.normal(size=(count, size)) @ mixing.T + 5


@pytest.fixture(scope="module")
def packaged() -> TrainedModel:
    return load_model()


def test_the_distance_is_scipys_mahalanobis_of_scikit_learns_components() -> None:
    spatial = pytest.importorskip("scipy.spatial.distance")
    decomposition = pytest.importorskip("sklearn.decomposition")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    posters = descriptions()
    distance = fit_poster_distance(posters)
    assert distance is not None
    f, s = posters[:, : -len(STATISTICS)], posters[:, -len(STATISTICS) :]
    scaler = preprocessing.StandardScaler().fit(f)
    pca = decomposition.PCA(COMPONENTS, svd_solver="full").fit(scaler.transform(f))
    v = np.concatenate([pca.transform(scaler.transform(f)), s], axis=1)
    inverse = np.linalg.inv(np.cov(v.T))
    expected = [spatial.mahalanobis(each, v.mean(axis=0), inverse) ** 2 for each in v]
    np.testing.assert_allclose(distance.squared(posters), expected, rtol=0.05)


def test_the_limit_lets_the_promised_share_of_new_posters_exceed_it() -> None:
    everything = descriptions(6000)
    distance = fit_poster_distance(everything[:2000])
    assert distance is not None
    assert distance.exceeded(everything[2000:]).mean() == pytest.approx(FALSE_ALARMS, abs=0.01)


def test_a_cross_fitted_distance_does_not_know_its_own_poster() -> None:
    posters = descriptions(300)
    in_sample = fit_poster_distance(posters)
    assert in_sample is not None
    posters[7] *= 40
    assert cross_fitted_distances(posters)[7] > 50 * in_sample.limit


def test_few_or_equal_pictures_have_no_distance() -> None:
    assert fit_poster_distance(descriptions(LEAST_POSTERS - 1)) is None
    assert fit_poster_distance(np.ones((300, 30))) is None


def test_features_that_hardly_vary_and_few_dimensions_are_no_trouble() -> None:
    posters = descriptions(200, 5)
    posters[:, 1:3] = 0
    distance = fit_poster_distance(posters)
    assert distance is not None
    assert distance.whitening.shape[1] <= 3 + len(STATISTICS)
    assert np.isfinite(distance.squared(posters)).all()


def test_the_statistics_are_what_their_names_say() -> None:
    picture = np.zeros((1, 6, 4, 3), np.uint8)
    picture[0, :3] = (255, 0, 0)
    [found] = picture_statistics(picture)
    half = np.log1p(0.0)
    named = dict(zip(STATISTICS, found, strict=True))
    assert named["share of the commonest colour"] == 0.5
    assert named["share of the four commonest colours"] == 1
    assert named["square root of the number of colours"] == pytest.approx(np.sqrt(2))
    assert named["square root of the share of pixels like their right neighbour"] == 1
    assert named["square root of the share of pixels like their lower neighbour"] == pytest.approx(
        np.sqrt(4 / 5)
    )
    assert named["log of the mean difference to the lower neighbour"] == pytest.approx(np.log1p(255 / 5))
    assert named["mean of the lightness"] == pytest.approx(255 / 6)
    assert named["deviation of the lightness"] == pytest.approx(255 / 6)
    assert named["log of the median deviation along a row"] == half
    assert named["log of the median deviation along a column"] == pytest.approx(np.log1p(255 / 6))


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_packaged_model_flags_what_is_no_poster(packaged: TrainedModel, kind: str) -> None:
    unlike = packaged.answers(non_posters(packaged.spec.input_size, first=2 * EACH)[kind]).unlike_posters
    assert unlike is not None
    assert unlike.mean() >= 0.9


@pytest.mark.parametrize("colour", ["white", "red"])
def test_a_plain_sheet_is_never_called_sure(packaged: TrainedModel, colour: str) -> None:
    from PIL import Image

    sheet = np.asarray(Image.new("RGB", packaged.spec.input_size[::-1], colour))
    [prediction] = predict_pictures([("sheet", sheet)], packaged, 3)
    assert prediction["unlike_posters"] is True
    assert prediction["sure"] is False


def test_few_drawn_posters_are_flagged(packaged: TrainedModel) -> None:
    from poster_genre.demo.drawn_posters import drawn_posters

    pixels, _ = drawn_posters(60, 3, packaged.spec.input_size)
    unlike = packaged.answers(pixels).unlike_posters
    assert unlike is not None
    assert unlike.mean() <= 0.1


def test_the_non_posters_are_the_same_every_time_and_sets_differ() -> None:
    one, again, other = (non_posters((24, 16), first) for first in (0, 0, EACH))
    assert list(one) == list(KINDS)
    for kind, pictures in one.items():
        assert pictures.shape == (EACH, 24, 16, 3)
        np.testing.assert_array_equal(pictures, again[kind])
        assert not np.array_equal(pictures, other[kind])


def test_the_probabilities_of_the_answers_are_those_without_them(packaged: TrainedModel) -> None:
    pixels = RNG.integers(0, 256, (70, *packaged.spec.input_size, 3)).astype(np.uint8)
    answers = packaged.answers(pixels)
    np.testing.assert_array_equal(answers.probabilities, packaged.probabilities(pixels))
    expected = packaged.distance.exceeded(packaged.descriptions(pixels))  # type: ignore[union-attr]
    np.testing.assert_array_equal(answers.unlike_posters, expected)


def test_a_model_file_keeps_the_distance(packaged: TrainedModel, tmp_path: Path) -> None:
    save_model(packaged, tmp_path / "model.npz")
    again = load_model(tmp_path / "model.npz").distance
    assert again is not None
    assert packaged.distance is not None
    np.testing.assert_array_equal(again.mean, packaged.distance.mean)
    np.testing.assert_array_equal(again.whitening, packaged.distance.whitening)
    assert (again.limit, again.posters) == (packaged.distance.limit, packaged.distance.posters)


def test_a_model_without_a_distance_cannot_tell(packaged: TrainedModel, tmp_path: Path) -> None:
    save_model(replace(packaged, distance=None), tmp_path / "model.npz")
    older = load_model(tmp_path / "model.npz")
    pixels = np.zeros((*older.spec.input_size, 3), np.uint8)
    assert predict_pictures([("black", pixels)], older, 3)[0]["unlike_posters"] is None


@pytest.mark.parametrize(
    ("array", "change"),
    [
        ("distance/mean", lambda a: a[:-1]),
        ("distance/mean", lambda a: a * np.nan),
        ("distance/whitening", lambda a: a[:, :0]),
        ("distance/whitening", lambda a: a[:5]),
        ("limit", lambda _: -1.0),
        ("limit", lambda _: None),
        ("posters", lambda _: "many"),
    ],
)
def test_a_forged_distance_is_one_sentence(
    packaged: TrainedModel, tmp_path: Path, array: str, change: Any
) -> None:
    save_model(packaged, tmp_path / "model.npz")
    arrays, metadata = load(tmp_path / "model.npz")
    if array in arrays:
        arrays[array] = change(arrays[array])
    else:
        metadata["distance"][array] = change(metadata["distance"][array])
    save(tmp_path / "forged.npz", arrays, metadata)
    with pytest.raises(PosterGenreError, match="contradicts itself"):
        load_model(tmp_path / "forged.npz")


def test_a_distance_of_another_networks_embedding_is_refused(packaged: TrainedModel, tmp_path: Path) -> None:
    assert packaged.distance is not None
    smaller = replace(
        packaged.distance, mean=packaged.distance.mean[:9], whitening=packaged.distance.whitening[:9]
    )
    save_model(replace(packaged, distance=smaller), tmp_path / "model.npz")
    with pytest.raises(PosterGenreError, match="not of its network's embeddings"):
        load_model(tmp_path / "model.npz")


def test_calibration_fits_the_distance_too(fitted: PosterGenreClassifier) -> None:
    size = fitted.trained_.spec.input_size
    pixels = RNG.integers(0, 256, (LEAST_POSTERS, *size, 3)).astype(np.uint8)
    labels = np.zeros((LEAST_POSTERS, 25), np.uint8)
    labels[::2, 0] = labels[1::3, 7] = 1
    before = fitted.trained_
    try:
        fitted.calibrate(pixels, labels)
        assert fitted.trained_.distance is not None
        assert fitted.trained_.distance.posters == LEAST_POSTERS
    finally:
        fitted.trained_ = before


def test_the_measurement_prints_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    printed = capsys.readouterr().out
    assert all(kind in printed for kind in KINDS)


def test_the_examples_of_the_pages_are_taken_for_posters(packaged: TrainedModel) -> None:
    folder = Path(__file__).parents[3] / "poster_genre" / "web" / "static" / "examples"
    posters = [
        load_poster(file.read_bytes(), packaged.spec.input_size) for file in sorted(folder.glob("*.jpg"))
    ]
    unlike = packaged.answers(np.stack(posters)).unlike_posters
    assert unlike is not None
    assert not unlike.any()
