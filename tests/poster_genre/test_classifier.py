"""The classifier: what it learns, and what it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.genres import GENRES, INDEX
from poster_genre.model.trained_model import top_of


def test_it_learns_to_tell_red_from_blue(fitted, coloured_posters):
    pixels, labels = coloured_posters
    shares = fitted.predict_proba(pixels[64:])
    red = labels[64:, INDEX["Action"]] == 1
    assert shares[red, INDEX["Action"]].min() > shares[~red, INDEX["Action"]].max()
    decided = fitted.predict(pixels[64:])
    np.testing.assert_array_equal(decided[:, INDEX["Action"]], red)


def test_init_only_stores_and_fit_returns_self(small_spec, coloured_posters):
    pixels, labels = coloured_posters
    classifier = PosterGenreClassifier(small_spec, epochs=1, lr="fast")
    assert vars(classifier) == classifier.get_params()
    classifier.set_params(lr=0.01)
    assert classifier.fit(pixels, labels) is classifier


def test_scikit_learn_can_clone_it(small_spec):
    clone = pytest.importorskip("sklearn.base").clone
    copy = clone(PosterGenreClassifier("original", epochs=3, seed=4))
    assert (copy.model, copy.epochs, copy.seed) == ("original", 3, 4)


def test_the_same_seed_gives_the_same_classifier(small_spec, coloured_posters):
    pixels, labels = coloured_posters
    first, again, other = (
        PosterGenreClassifier(small_spec, epochs=1, seed=seed).fit(pixels, labels).predict_proba(pixels)
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_thresholds_come_from_the_validation_posters_or_are_one_half(fitted, small_spec, coloured_posters):
    pixels, labels = coloured_posters
    assert "32 validation posters" in fitted.trained_.thresholds_from
    assert (fitted.trained_.thresholds != 0.5).any()
    without = PosterGenreClassifier(small_spec, epochs=1).fit(pixels, labels)
    assert (without.trained_.thresholds == 0.5).all()


def test_priors_are_the_shares_of_the_training_labels(fitted, coloured_posters):
    np.testing.assert_allclose(fitted.trained_.priors, coloured_posters[1][:64].mean(axis=0))


def test_a_poster_and_its_mirror_image_have_the_same_genres(fitted, coloured_posters):
    pixels = coloured_posters[0]
    np.testing.assert_allclose(
        fitted.predict_proba(pixels), fitted.predict_proba(pixels[:, :, ::-1]), rtol=1e-5
    )


def test_one_poster_at_a_time_or_all_together_makes_no_difference(fitted, coloured_posters):
    pixels = coloured_posters[0]
    together = fitted.predict_proba(pixels)
    alone = np.concatenate([fitted.predict_proba(pixels[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(together[:5], alone, rtol=1e-4)


def test_files_bytes_and_images_are_read_as_arrays_are(fitted, coloured_posters, tmp_path):
    array = coloured_posters[0][:1]
    image = Image.fromarray(array[0])
    path = tmp_path / "poster.png"
    image.save(path)
    expected = fitted.predict_proba(array)
    for source in (path, str(path), path.read_bytes(), image):
        np.testing.assert_allclose(fitted.predict_proba([source]), expected, rtol=1e-6)


def test_top_genres_are_the_most_probable_ones_in_order(fitted, coloured_posters):
    shares = fitted.predict_proba(coloured_posters[0][:3])
    for row, top in zip(shares, fitted.top_genres(coloured_posters[0][:3], k=4), strict=True):
        assert [genre for genre, _ in top] == [GENRES[i] for i in np.argsort(-row)[:4]]
        assert [p for _, p in top] == sorted((p for _, p in top), reverse=True)


def test_equal_probabilities_keep_the_order_of_the_genres():
    assert top_of(np.zeros(25), 3) == [(genre, 0.0) for genre in GENRES[:3]]


@pytest.mark.parametrize("k", [0, 26])
def test_top_genres_takes_1_to_25(fitted, coloured_posters, k):
    with pytest.raises(PosterGenreError, match="between 1 and 25"):
        fitted.top_genres(coloured_posters[0][:1], k=k)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda x: np.full(x.shape, np.nan), "NaN"),
        (lambda x: np.full(x.shape, np.inf, np.float32), "infinity"),
        (lambda x: x.astype(np.float32), "uint8"),
        (lambda x: x[:, :, :-1], r"\(N, 24, 16, 3\)"),
        (lambda x: x[0], r"\(N, 24, 16, 3\)"),
        (lambda x: x[:0], "empty"),
        (lambda x: "poster.jpg", "list of paths"),
        (lambda x: [], "empty"),
        (lambda x: ["nowhere.jpg"], "nowhere.jpg"),
    ],
)
def test_posters_that_cannot_be_used_are_refused_in_a_sentence(fitted, coloured_posters, spoil, says):
    with pytest.raises(PosterGenreError, match=says):
        fitted.predict_proba(spoil(coloured_posters[0][:2]))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda y: y[:, :24], r"\(N, 25\)"),
        (lambda y: y.astype(float) * np.nan, "0 or 1"),
        (lambda y: y * 2, "0 or 1"),
        (lambda y: y[:-1], "96 posters but 95"),
        (lambda y: y.astype(object), "0 or 1"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_in_a_sentence(small_spec, coloured_posters, spoil, says):
    pixels, labels = coloured_posters
    with pytest.raises(PosterGenreError, match=says):
        PosterGenreClassifier(small_spec, epochs=1).fit(pixels, spoil(labels))


@pytest.mark.parametrize(
    "settings",
    [{"epochs": 0}, {"epochs": 1.5}, {"batch_size": -1}, {"lr": 0}, {"lr": np.inf}, {"lr": np.nan}],
)
def test_settings_that_make_no_sense_are_refused_when_fitting(small_spec, coloured_posters, settings):
    with pytest.raises(PosterGenreError, match=next(iter(settings)).replace("lr", "learning_rate")):
        PosterGenreClassifier(small_spec, **settings).fit(*coloured_posters)


def test_one_poster_is_too_few_to_train_on(small_spec, coloured_posters):
    pixels, labels = coloured_posters
    with pytest.raises(PosterGenreError, match="at least 2"):
        PosterGenreClassifier(small_spec, epochs=1).fit(pixels[:1], labels[:1])


def test_a_last_batch_of_one_poster_is_survived(small_spec, coloured_posters):
    pixels, labels = coloured_posters
    PosterGenreClassifier(small_spec, epochs=1, batch_size=16).fit(pixels[:33], labels[:33])


def test_nothing_is_predicted_before_something_is_learned(coloured_posters):
    with pytest.raises(PosterGenreError, match="fit"):
        PosterGenreClassifier().predict_proba(coloured_posters[0])


def test_a_loaded_classifier_is_the_saved_one(fitted, coloured_posters, tmp_path):
    path = tmp_path / "model.npz"
    fitted.save(path)
    loaded = PosterGenreClassifier.load(path)
    pixels = coloured_posters[0]
    np.testing.assert_array_equal(loaded.predict_proba(pixels), fitted.predict_proba(pixels))
    np.testing.assert_array_equal(loaded.trained_.thresholds, fitted.trained_.thresholds)
    np.testing.assert_array_equal(loaded.trained_.priors, fitted.trained_.priors)
    assert loaded.trained_.thresholds_from == fitted.trained_.thresholds_from
    assert replace(loaded.trained_.spec, recipe=fitted.trained_.spec.recipe) == fitted.trained_.spec


def test_training_does_not_start_from_another_network(fitted, small_spec, coloured_posters, tmp_path):
    fitted.save(tmp_path / "model.npz")
    wider = replace(small_spec, arguments={**small_spec.arguments, "widths": [4, 10]})
    with pytest.raises(PosterGenreError, match="same network"):
        PosterGenreClassifier(wider, init=tmp_path / "model.npz").fit(*coloured_posters)


def test_threads_that_predict_together_get_the_bits_that_each_would_get_alone(fitted, coloured_posters):
    pixels = coloured_posters[0]
    expected = [fitted.predict_proba(pixels[i : i + 3]) for i in range(24)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: fitted.predict_proba(pixels[i : i + 3]), range(24)))
    np.testing.assert_array_equal(together, expected)


@pytest.mark.parametrize("model", [3, None, ["compact"]])
def test_a_model_that_is_neither_a_name_nor_a_specification_is_a_type_error(coloured_posters, model):
    with pytest.raises(TypeError, match=r"name of a network \(compact, original\) or a ModelSpec, got"):
        PosterGenreClassifier(model).fit(*coloured_posters)


def test_a_name_that_is_not_registered_is_refused_with_the_names_that_are(small_spec, coloured_posters):
    for model in ("mine", replace(small_spec, name="mine")):
        with pytest.raises(PosterGenreError, match="no network 'mine'; choose one of compact, original"):
            PosterGenreClassifier(model).fit(*coloured_posters)
