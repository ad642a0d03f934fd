"""Explanations: their form, what is refused, and that they change nothing in the classifier."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image

from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.explain.explain import explain
from poster_genre.genres import GENRES, INDEX
from tests.poster_genre.explain.shape_posters import averaging_model, rank_correlation


def test_the_two_methods_agree_on_a_poster_more_than_across_posters(grad_cam_maps, occlusion_maps):
    shuffled = occlusion_maps[1:] + occlusion_maps[:1]
    agreement = rank_correlation(grad_cam_maps, occlusion_maps)
    assert agreement > rank_correlation(grad_cam_maps, shuffled) + 0.1


def test_a_genre_without_evidence_has_an_empty_map(noise):
    model = averaging_model()
    model.network[3].weight.data[...] = -1
    result = explain(PosterGenreClassifier.of(model), noise, "Drama")
    assert result.strength == 0
    assert not result.heat.any()


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_the_map_of_the_mirror_image_is_the_mirror_image_of_the_map(noise, method):
    classifier = PosterGenreClassifier.of(averaging_model(flip_average=True))
    plain, mirrored = (explain(classifier, x, "Drama", method=method).heat for x in (noise, noise[:, ::-1]))
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1e-4)


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_a_map_has_the_input_size_and_runs_from_0_to_1(fitted, coloured_posters, method):
    pixels = coloured_posters[0][0]
    result = explain(fitted, pixels, "Action", method=method)
    assert (result.heat.shape, result.heat.dtype) == ((24, 16), np.float32)
    assert result.heat.min() >= 0
    assert result.heat.max() <= 1 + 1e-6
    assert (result.genre, result.method) == ("Action", method)
    assert result.probability == fitted.predict_proba(pixels[None])[0, INDEX["Action"]]


def test_without_a_genre_the_most_probable_one_is_explained(fitted, coloured_posters):
    pixels = coloured_posters[0][0]
    assert explain(fitted, pixels).genre == fitted.top_genres(pixels[None], 1)[0][0][0]


def test_a_file_bytes_and_an_image_are_explained_alike(fitted, coloured_posters, tmp_path):
    pixels = coloured_posters[0][0]
    Image.fromarray(pixels).save(tmp_path / "poster.png")
    data = (tmp_path / "poster.png").read_bytes()
    expected = explain(fitted, pixels, "War").heat
    for poster in (tmp_path / "poster.png", data, Image.fromarray(pixels)):
        np.testing.assert_array_equal(explain(fitted, poster, "War").heat, expected)


def test_an_unknown_genre_is_refused_with_all_25_names(fitted, coloured_posters):
    with pytest.raises(UsageError) as refused:
        explain(fitted, coloured_posters[0][0], "Noir")
    assert all(genre in str(refused.value) for genre in (*GENRES, "Noir"))


def test_an_unknown_method_is_refused_with_the_known_ones(fitted, coloured_posters):
    with pytest.raises(UsageError, match="grad-cam, occlusion"):
        explain(fitted, coloured_posters[0][0], method="guess")


def test_a_missing_file_is_refused_by_name(fitted):
    with pytest.raises(PosterGenreError, match=r"nowhere\.jpg"):
        explain(fitted, "nowhere.jpg")


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
@pytest.mark.parametrize(("layer", "value"), [(0, 3e38), (3, float("nan"))], ids=["overflow", "nan"])
def test_a_network_whose_output_is_not_finite_is_an_error(noise, method, layer, value):
    model = averaging_model()
    model.network[layer].weight.data[...] = value
    with (
        np.errstate(all="ignore"),
        pytest.raises(PosterGenreError, match="output is not a finite number"),
    ):
        explain(PosterGenreClassifier.of(model), noise, "Drama", method=method)


def test_threads_that_share_a_classifier_get_the_same_maps(fitted, coloured_posters):
    pixels = coloured_posters[0][:12]
    expected = [explain(fitted, x, "War").heat for x in pixels]
    maps, probabilities = [None] * 12, [None] * 12

    def work(first):
        for i in range(first, 12, 4):
            probabilities[i] = fitted.predict_proba(pixels[i : i + 1])
            maps[i] = explain(fitted, pixels[i], "War").heat

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(maps, expected)
    np.testing.assert_allclose(np.concatenate(probabilities), fitted.predict_proba(pixels), rtol=1e-4)


def test_explaining_changes_no_gradient_and_records_nothing(fitted, coloured_posters):
    network = fitted.trained_.network
    before = {name: p.grad.copy() for name, p in network.parameters().items()}
    explain(fitted, coloured_posters[0][0], "War")
    for name, parameter in network.parameters().items():
        np.testing.assert_array_equal(parameter.grad, before[name])
    with pytest.raises(RuntimeError, match="recorded"):
        network.backward(np.zeros((1, 25), np.float32))
