"""The embedding of a poster, and the version that says which embeddings may be compared."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from minicnn.containers import Sequential
from minicnn.layers.activation import sigmoid
from minicnn.layers.pooling import GlobalAveragePool2D
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError
from poster_genre.model.model_file import load_model
from poster_genre.model.network_parts import network_parts
from poster_genre.model.networks import build_model


def variant(fitted, **changes):
    """The same classifier with another specification; the network is shared."""
    model = fitted.trained_
    return PosterGenreClassifier.of(replace(model, spec=replace(model.spec, **changes)))


def test_an_embedding_is_what_the_last_dense_layer_reads(fitted, coloured_posters):
    pixels = coloured_posters[0][:5]
    one_view = variant(fitted, flip_average=False)
    embedding = one_view.embed(pixels)
    assert embedding.shape == (5, 16)
    assert embedding.dtype == np.float32
    last = fitted.trained_.network["genres"]
    np.testing.assert_allclose(
        sigmoid(embedding @ last.weight.data + last.bias.data),
        one_view.predict_proba(pixels, calibrated=False),
        rtol=1e-5,
    )


def test_a_poster_and_its_mirror_image_have_one_embedding(fitted, coloured_posters):
    pixels = coloured_posters[0][:5]
    np.testing.assert_allclose(fitted.embed(pixels), fitted.embed(pixels[:, :, ::-1]), rtol=1e-5, atol=1e-6)


def test_posters_of_one_genre_lie_closer_together(fitted, coloured_posters):
    pixels, _ = coloured_posters
    e = fitted.embed(pixels[64:])
    e = e / np.linalg.norm(e, axis=1, keepdims=True)
    likeness = e @ e.T
    red = np.arange(len(e)) % 2 == 0
    assert likeness[red][:, red].mean() > likeness[red][:, ~red].mean()


def test_the_version_outlives_the_file_and_the_calibration(fitted, tmp_path):
    fitted.save(tmp_path / "model.npz")
    loaded = load_model(tmp_path / "model.npz")
    changed = replace(loaded, calibration=None, thresholds=loaded.thresholds + 0.1)
    assert changed.version == loaded.version == fitted.model_version
    assert fitted.model_version.startswith("compact-")


def test_the_version_changes_with_a_weight_a_statistic_and_the_normalisation(fitted):
    versions = {fitted.model_version, variant(fitted, mean=(0.1, 0.2, 0.3)).model_version}
    for array in (lambda m: m["stem"].weight.data, lambda m: m["stem_norm"].running_var):
        network = copy.deepcopy(fitted.trained_.network)
        array(network).flat[0] += np.float32(1e-3)
        versions.add(replace(fitted.trained_, network=network).version)
    assert len(versions) == 4


def test_nothing_is_embedded_before_something_is_learned():
    with pytest.raises(PosterGenreError, match="fit"):
        PosterGenreClassifier().embed(np.zeros((1, 96, 64, 3), np.uint8))
    with pytest.raises(PosterGenreError, match="fit"):
        _ = PosterGenreClassifier().model_version


def test_the_original_network_has_its_last_image_before_it_is_flattened():
    network = build_model("original", input_size=(78, 78))
    parts = network_parts(network, (78, 78))
    assert [backbone.shape for backbone in parts.backbones] == [(3, 3, 128)]
    assert parts.head.weight.data.shape == (128, 25)
    layers = len(parts.backbones[0].layers) + len(parts.neck) - 1  # the neck begins with RowToImage
    assert layers + 2 == len(network)  # and the head and the sigmoid


def test_a_network_without_a_dense_layer_at_its_end_has_no_embedding():
    with pytest.raises(PosterGenreError, match="dense"):
        network_parts(Sequential([GlobalAveragePool2D()]), (4, 4))
