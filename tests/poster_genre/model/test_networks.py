"""The two networks: what they are made of, and that they compute what their description says."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import MaxPool2D
from poster_genre.errors import PosterGenreError
from poster_genre.model.networks import SPECS, build_model, build_network, model_spec


def of_kind(model, kind):
    return [layer for _, layer in model.layers() if isinstance(layer, kind)]


def test_original_has_the_6_671_897_parameters_of_the_original_project():
    model = build_model("original", rng=0)
    assert sum(parameter.data.size for parameter in model.parameters().values()) == 6_671_897
    assert sum(array.size for array in model.state().values()) == 992


def test_original_stands_layer_by_layer_as_described():
    model = build_model("original", rng=0)
    block = ["Conv2D", "ReLU", "BatchNorm", "MaxPool2D", "Dropout"]
    hidden = ["Dense", "ReLU", "BatchNorm", "Dropout"]
    assert [type(layer).__name__ for _, layer in model.layers()] == (
        4 * block + ["Flatten"] + 2 * hidden + ["Dense", "Sigmoid"]
    )
    assert [layer.weight.data.shape for layer in of_kind(model, Conv2D)] == [
        (3, 3, 3, 16), (3, 3, 16, 32), (3, 3, 32, 64), (3, 3, 64, 128),
    ]  # fmt: skip
    assert [layer.weight.data.shape for layer in of_kind(model, Dense)] == [
        (51_200, 128), (128, 128), (128, 25),
    ]  # fmt: skip
    assert [layer.rate for layer in of_kind(model, Dropout)] == [0.3, 0.3, 0.4, 0.5, 0.5, 0.5]
    assert len(of_kind(model, MaxPool2D)) == 4
    assert model.output_shape((7, 350, 350, 3)) == (7, 25)


def test_original_uses_keras_defaults():
    model = build_model("original", rng=0)
    for norm in of_kind(model, BatchNorm):
        assert (norm.momentum, norm.eps, norm.unbiased_running_variance) == (0.01, 1e-3, False)
    for layer in of_kind(model, Conv2D) + of_kind(model, Dense):
        fan_in, fan_out = np.prod(layer.weight.data.shape[:-1]), layer.weight.data.shape[-1]
        if layer.weight.data.ndim == 4:
            fan_out *= 9
        limit = np.sqrt(6 / (fan_in + fan_out))
        assert 0.9 * limit < np.abs(layer.weight.data).max() <= limit
        assert not layer.bias.data.any()


def test_original_is_trained_as_the_original_project_did():
    spec = model_spec("original")
    recipe = spec.recipe
    assert (spec.input_size, spec.mean, spec.std) == ((350, 350), (0, 0, 0), (1, 1, 1))
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer) == (5, 32, "adam")
    assert (recipe.learning_rate, recipe.adam_eps, recipe.weight_decay) == (1e-3, 1e-7, 0)
    assert not spec.logits
    assert not spec.flip_average
    assert (recipe.augmentation, recipe.mixup_alpha, recipe.ema_decay) == (None, 0, None)


@pytest.mark.oracle
def test_original_computes_what_the_same_network_in_pytorch_computes():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    size = (62, 62)
    model = build_model("original", rng=1, dtype=np.float64, input_size=size)
    for name, array in model.state().items():
        array[...] = rng.uniform(0.5, 1.5, array.shape) if "var" in name else rng.normal(size=array.shape)
    for parameter in model.parameters().values():
        if parameter.data.ndim == 1:
            parameter.data += rng.normal(0, 0.1, parameter.data.shape)
    x = rng.random((2, *size, 3))
    flow = torch.from_numpy(x.transpose(0, 3, 1, 2))
    for _, layer in model.layers():
        weights = [torch.from_numpy(p.data) for p in layer.parameters().values()]
        if isinstance(layer, Conv2D):
            flow = torch.nn.functional.conv2d(flow, weights[0].permute(3, 2, 0, 1), weights[1])
        elif isinstance(layer, BatchNorm):
            mean, var = (torch.from_numpy(a) for a in (layer.running_mean, layer.running_var))
            flow = torch.nn.functional.batch_norm(flow, mean, var, *weights, eps=1e-3)
        elif isinstance(layer, MaxPool2D):
            flow = torch.nn.functional.max_pool2d(flow, 2)
        elif isinstance(layer, Dense):
            flow = flow @ weights[0] + weights[1]
        elif type(layer).__name__ == "ReLU":
            flow = torch.relu(flow)
        elif type(layer).__name__ == "Flatten":
            flow = flow.permute(0, 2, 3, 1).flatten(1)
        elif type(layer).__name__ == "Sigmoid":
            flow = torch.sigmoid(flow)
    np.testing.assert_allclose(model.forward(x), flow.numpy(), rtol=1e-10)


def test_compact_starts_near_the_mean_share_of_genres():
    model = build_model("compact", rng=0)
    x = np.random.default_rng(0).normal(size=(8, *SPECS["compact"].input_size, 3)).astype(np.float32)
    share = 1 / (1 + np.exp(-model.forward(x, training=True)))
    assert 0.05 < share.mean() < 0.2


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (96, 64), (120, 80)])
def test_compact_takes_inputs_of_any_reasonable_size(size):
    model = build_model("compact", rng=0, input_size=size, widths=[4, 6, 8], blocks=[1, 1, 2])
    x = np.zeros((2, *size, 3), np.float32)
    assert model.forward(x).shape == model.output_shape(x.shape) == (2, 25)


def test_compact_goes_backward_to_the_pixels_in_double_precision():
    model = build_model(
        "compact", rng=0, dtype=np.float64, input_size=(9, 8), widths=[3, 4], blocks=[1, 1], dropout=0.0
    )
    rng = np.random.default_rng(0)
    for parameter in model.parameters().values():  # the zeros it starts with would hide the blocks
        if parameter.data.ndim == 1:
            parameter.data += rng.normal(0, 0.3, parameter.data.shape)
    x = rng.normal(size=(4, 9, 8, 3))
    dy = rng.normal(size=(4, 25))
    model.forward(x, training=True)
    dx = model.backward(dy)
    step, direction = 1e-6, rng.normal(size=x.shape)
    ahead = (model.forward(x + step * direction, training=True) * dy).sum()
    behind = (model.forward(x - step * direction, training=True) * dy).sum()
    assert (dx * direction).sum() == pytest.approx((ahead - behind) / (2 * step), rel=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (build_model("compact", rng=seed) for seed in (5, 5, 6))
    for name, parameter in first.parameters().items():
        np.testing.assert_array_equal(parameter.data, again.parameters()[name].data)
    assert (first["stem"].weight.data != other["stem"].weight.data).any()


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(PosterGenreError, match=r"resnet.*compact, original"):
        build_model("resnet")


def test_an_unknown_argument_is_refused_by_name():
    with pytest.raises(PosterGenreError, match="depth"):
        build_model("compact", depth=3)


@pytest.mark.parametrize("last", [0, 5])
def test_the_last_convolution_and_the_members_are_as_asked_for(last):
    model = build_model(
        "compact", input_size=(24, 16), stem=3, widths=[4, 6], blocks=[1, 1], last=last, members=2
    )
    shapes = {name: parameter.data.shape for name, parameter in model.parameters().items()}
    assert shapes["members.member1.stem.weight"] == shapes["members.member2.stem.weight"] == (3, 3, 3, 3)
    assert ("members.member1.last.weight" in shapes) == bool(last)
    assert shapes["genres.weight"] == (2 * 2 * (last or 6), 25)
    first, second = (model.parameters()[f"members.member{i}.stem.weight"].data for i in (1, 2))
    assert not np.array_equal(first, second)


def test_compact_refuses_numbers_that_make_no_network():
    for wrong in ({"members": 0}, {"stem": -1}, {"last": -1}):
        with pytest.raises(PosterGenreError, match="compact: stem and last"):
            build_model("compact", **wrong)


def test_compact_needs_as_many_widths_as_stages():
    with pytest.raises(PosterGenreError, match="widths and blocks"):
        build_model("compact", widths=[4, 8], blocks=[1])


def test_the_error_for_a_wrong_seed_names_build_network():
    with pytest.raises((TypeError, ValueError), match="build_network"):
        build_network(SPECS["compact"], rng="seven")
