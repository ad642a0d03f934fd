"""Predictions run the fused network: the same answers as layer by layer, and never those of old weights."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minicnn.fusion.block_kernels import BlockKernels
from minicnn.fusion.rewrite import SWITCH, blocks_of
from minicnn.layers.conv import Conv2D
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.cli.main import main
from poster_genre.drawing.synthetic import draw_poster, random_genres
from poster_genre.genres import GENRES
from poster_genre.model.spec import ModelSpec

SIZE = (43, 29)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (24, *SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def trained(small_spec: ModelSpec, pixels: np.ndarray) -> PosterGenreClassifier:
    """A network wide enough for the fused kernels, at an odd size, trained for a moment and calibrated."""
    arguments = {**small_spec.arguments, "widths": [16, 35]}
    spec = replace(small_spec, input_size=SIZE, arguments=arguments)
    labels = (np.random.default_rng(4).random((24, len(GENRES))) < 0.2).astype(np.uint8)
    return PosterGenreClassifier(spec, epochs=2).fit(
        pixels[:16], labels[:16], validation=(pixels[16:], labels[16:])
    )


@pytest.fixture
def classifier(trained: PosterGenreClassifier) -> PosterGenreClassifier:
    """One that a test may change."""
    return copy.deepcopy(trained)


@pytest.fixture
def layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls a function with fusion switched off."""

    def call(function: Any, *arguments: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setenv(SWITCH, "off")
            return function(*arguments)

    return call


def test_predictions_and_embeddings_run_every_block_of_the_fused_network(
    classifier: PosterGenreClassifier, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[BlockKernels] = []
    infer = BlockKernels.infer
    monkeypatch.setattr(BlockKernels, "infer", lambda block, *more: ran.append(block) or infer(block, *more))
    blocks = blocks_of(classifier.trained_.fast_network())
    convolutions = [layer for _, layer in classifier.trained_.network.layers() if isinstance(layer, Conv2D)]
    assert [block.convolution for block in blocks] == convolutions
    for method in (classifier.predict_proba, classifier.embed):
        ran.clear()
        method(pixels[:2])
        # Twice: the poster and its mirror image.
        assert [ran.count(block.kernels) for block in blocks] == [2] * len(blocks)


def test_answers_are_those_of_the_layers_one_by_one(
    classifier: PosterGenreClassifier, pixels: np.ndarray, layer_by_layer: Any
) -> None:
    for method, exact in ((classifier.predict_proba, 1e-6), (classifier.embed, 1e-5)):
        np.testing.assert_allclose(method(pixels), layer_by_layer(method, pixels), rtol=0, atol=exact)


def test_the_switch_counts_at_once_and_wrong_words_are_refused(
    classifier: PosterGenreClassifier, layer_by_layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = classifier.trained_
    assert model.fast_network() is model.fast_network() is not model.network
    assert layer_by_layer(model.fast_network) is model.network
    assert model.fast_network() is not model.network
    monkeypatch.setenv(SWITCH, "maybe")
    with pytest.raises(ValueError, match='MINICNN_FUSION must be "on" or "off"'):
        classifier.trained_.fast_network()


def test_changed_weights_statistics_and_networks_count_at_once(
    classifier: PosterGenreClassifier, pixels: np.ndarray, layer_by_layer: Any
) -> None:
    def another_network() -> None:
        network = copy.deepcopy(classifier.trained_.network)
        network["stem"].weight.data *= -1
        classifier.trained_ = replace(classifier.trained_, network=network)

    def another_parameter() -> None:
        stem = classifier.trained_.network["stem"]
        stem.weight = copy.deepcopy(stem.weight)
        stem.weight.data[0, 0] += 1

    changes = [
        lambda: classifier.trained_.network["stem"].weight.data.__imul__(2),
        lambda: classifier.trained_.network["stem_norm"].running_mean.__iadd__(1),
        lambda: classifier.trained_.network["stem_norm"].running_var.__imul__(3),
        lambda: classifier.trained_.network["stem_norm"].bias.data.__isub__(1),
        another_network,
        another_parameter,
    ]
    before = classifier.predict_proba(pixels[:2])
    for change in changes:
        change()
        after = classifier.predict_proba(pixels[:2])
        assert np.abs(after - before).max() > 1e-4
        expected = layer_by_layer(classifier.predict_proba, pixels[:2])
        np.testing.assert_allclose(after, expected, rtol=0, atol=1e-6)
        before = after


def test_a_poster_gets_the_same_answer_in_any_company(
    trained: PosterGenreClassifier, pixels: np.ndarray
) -> None:
    for method, exact in ((trained.predict_proba, 1e-6), (trained.embed, 1e-5)):
        together = method(pixels)
        for size in (1, 5, 23):
            apart = [method(pixels[start : start + size]) for start in range(0, len(pixels), size)]
            np.testing.assert_allclose(np.concatenate(apart), together, rtol=0, atol=exact)


def test_the_command_line_gives_the_classifiers_numbers(
    trained: PosterGenreClassifier, pixels: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained.save(tmp_path / "model.npz")
    names = [str(tmp_path / f"{i}.png") for i in range(3)]
    for name, poster in zip(names, pixels[:3], strict=True):
        Image.fromarray(poster).save(name)
    assert main(["predict", *names, "--json", "--model-file", str(tmp_path / "model.npz")]) == 0
    printed = [[answer["probabilities"][g] for g in GENRES] for answer in json.loads(capsys.readouterr().out)]
    for i in range(3):
        np.testing.assert_allclose(printed[i], trained.predict_proba([names[i]])[0], rtol=0, atol=1e-6)


def test_the_packaged_model_decides_the_same_fused_and_layer_by_layer(layer_by_layer: Any) -> None:
    packaged = PosterGenreClassifier.load()
    rng = np.random.default_rng(5)
    posters = [draw_poster(random_genres(rng), rng) for _ in range(4)]
    fused, plain = packaged.predict_proba(posters), layer_by_layer(packaged.predict_proba, posters)
    np.testing.assert_allclose(fused, plain, rtol=0, atol=1e-6)
    near = np.abs(plain - packaged.trained_.thresholds) < 1e-6
    assert ((fused >= packaged.trained_.thresholds) == (plain >= packaged.trained_.thresholds))[~near].all()
    np.testing.assert_array_equal(packaged.sure(fused), packaged.sure(plain))
