"""The parts of a network: of one chain, and of several backbones side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from minicnn.containers import Parallel, Sequential
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.explain import explain
from poster_genre.explain.grad_cam import grad_cam
from poster_genre.explain.heat_map import resize_map
from poster_genre.genres import N_GENRES
from poster_genre.model.network_parts import RowToImage, network_parts
from poster_genre.model.networks import build_model
from tests.poster_genre.model.ensembles import SIZE, ensemble, ensemble_classifier


def noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def test_every_backbone_has_its_own_last_image() -> None:
    parts = network_parts(ensemble(), SIZE)
    assert [backbone.shape for backbone in parts.backbones] == [(4, 3, 16), (8, 6, 12), (15, 11, 8)]


def test_a_chain_is_one_backbone_even_where_its_head_has_branches() -> None:
    network = build_model("compact", rng=0)
    parts = network_parts(network, (120, 80))
    assert [backbone.shape for backbone in parts.backbones] == [(7, 5, 256)]
    assert parts.neck[1] is network["head"]
    assert parts.head is network["genres"]


def test_neck_and_head_compute_the_networks_logits_from_the_last_images() -> None:
    classifier = ensemble_classifier()
    parts = network_parts(classifier.trained_.network, SIZE)
    x = classifier.trained_.spec.to_input(noise()[None])
    row = [Sequential(backbone.layers).forward(x).reshape(1, -1) for backbone in parts.backbones]
    logits = Sequential([*parts.neck, parts.head]).forward(np.concatenate(row, axis=1))
    np.testing.assert_array_equal(logits, classifier.trained_.network.forward(x))


def test_chains_within_chains_are_one_chain() -> None:
    inner = Sequential([Conv2D(3, 4, 3, rng=0), GlobalAveragePool2D()])
    parts = network_parts(Sequential([inner, Dense(4, N_GENRES, rng=1)]), (8, 8))
    assert parts.backbones[0].layers == [inner[0]]
    assert parts.neck[1:] == [inner[1]]


def test_a_backbone_may_fork_again_and_share_what_comes_before() -> None:
    def backbone(seed: int) -> Sequential:
        return Sequential([Conv2D(4, 5, 3, rng=seed), GlobalMaxPool2D()])

    stem = Conv2D(3, 4, 3, rng=0)
    fork = Parallel([backbone(1), backbone(2)], merge="concat")
    parts = network_parts(Sequential([stem, fork, Dense(10, N_GENRES, rng=3)]), (9, 9))
    assert [each.layers[0] for each in parts.backbones] == [stem, stem]
    assert [each.shape for each in parts.backbones] == [(5, 5, 5)] * 2


def test_row_to_image_takes_its_numbers_and_returns_their_gradient() -> None:
    layer, row = RowToImage(2, (1, 2, 2)), np.arange(14.0).reshape(2, 7)
    np.testing.assert_array_equal(layer.forward(row, record=True)[1].ravel(), [9, 10, 11, 12])
    dx = layer.backward(np.full((2, 1, 2, 2), 3.0))
    np.testing.assert_array_equal(dx, [[0, 0, 3, 3, 3, 3, 0]] * 2)


def test_the_embedding_of_backbones_is_what_the_dense_layer_reads() -> None:
    classifier = ensemble_classifier()
    logits = classifier.embed(noise()[None]) @ classifier.trained_.network["genres"].weight.data
    x = noise()[None]
    views = [
        classifier.trained_.network.forward(classifier.trained_.spec.to_input(each))
        for each in (x, x[:, :, ::-1])
    ]
    np.testing.assert_allclose(
        logits + classifier.trained_.network["genres"].bias.data, np.mean(views, axis=0), rtol=1e-4, atol=1e-4
    )


# Grad-CAM.


def averaging(*strides: int) -> PosterGenreClassifier:
    """Backbones of one convolution and an average, over images of different sizes."""
    backbones = [
        Sequential([Conv2D(3, 4, 3, stride=stride, padding="same", rng=stride), GlobalAveragePool2D()])
        for stride in strides
    ]
    parallel = Parallel(backbones, merge="concat")
    network = Sequential([parallel, Dense(4 * len(strides), N_GENRES, rng=5)])
    return PosterGenreClassifier.of(replace(ensemble_classifier().trained_, network=network))


def contribution(classifier: PosterGenreClassifier, at: int, genre: int) -> np.ndarray:
    """The class activation map of one backbone by hand, of noise() and its mirror image."""
    conv = classifier.trained_.network[0][str(at)][0]  # type: ignore[index]
    weight = classifier.trained_.network[1].weight.data[4 * at : 4 * at + 4, genre]
    maps = []
    for view in (noise(), noise()[:, ::-1]):
        image = conv.forward(classifier.trained_.spec.to_input(view[None]))[0]
        maps.append(image @ weight / (image.shape[0] * image.shape[1]))
    return (maps[0] + maps[1][:, ::-1]) / 2


def test_the_maps_of_backbones_add_up_as_their_logits_do() -> None:
    classifier = averaging(2, 2)
    expected = contribution(classifier, 0, 4) + contribution(classifier, 1, 4)
    np.testing.assert_allclose(
        grad_cam(classifier.trained_, noise(), 4), np.maximum(expected, 0), rtol=1e-4, atol=1e-6
    )


def test_a_coarse_backbone_shares_its_evidence_among_the_cells_of_a_fine_one() -> None:
    classifier = averaging(1, 2)
    coarse = resize_map(contribution(classifier, 1, 4), SIZE) / 4
    expected = np.maximum(contribution(classifier, 0, 4) + coarse, 0)
    np.testing.assert_allclose(grad_cam(classifier.trained_, noise(), 4), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_backbones_of_any_build_are_explained_and_not_changed(method: str) -> None:
    classifier = ensemble_classifier()
    before = classifier.predict_proba(noise()[None])
    result = explain(classifier, noise(), "Drama", method=method)
    assert result.heat.shape == SIZE
    assert np.isfinite(result.heat).all()
    assert all(layer._recorded is None for _, layer in classifier.trained_.network.layers())
    np.testing.assert_array_equal(classifier.predict_proba(noise()[None]), before)
