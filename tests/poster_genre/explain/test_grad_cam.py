"""Grad-CAM: against class activation maps, PyTorch's gradients, and random weights."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.explain.explain import explain
from poster_genre.explain.grad_cam import grad_cam
from poster_genre.genres import INDEX
from tests.poster_genre.explain.shape_posters import averaging_model, hits, rank_correlation


def test_the_maximum_is_on_the_shape_of_the_genre(grad_cam_maps, cases):
    assert hits(grad_cam_maps, cases) > 0.55  # a random pixel: 0.12


def randomised(classifier, seed, names=""):
    """The same classifier with random numbers for the weights whose names begin with ``names``."""
    model = classifier.trained_
    other = PosterGenreClassifier.of(replace(model, network=copy.deepcopy(model.network)))
    rng = np.random.default_rng(seed)
    for name, parameter in other.trained_.network.parameters().items():
        if name.startswith(names):
            parameter.data[...] = rng.normal(0, parameter.data.std() + 0.1, parameter.data.shape)
    return other


@pytest.mark.parametrize("names", ["", "genres.weight"])
def test_random_weights_destroy_the_map(shape_classifier, cases, grad_cam_maps, names):
    """Adebayo et al. 2018: a map that survives them shows the picture and not what was learned."""
    others = [randomised(shape_classifier, seed, names) for seed in range(5)]
    maps = [[explain(other, x, genre).heat for x, genre, _ in cases] for other in others]
    assert abs(np.mean([rank_correlation(grad_cam_maps, other) for other in maps])) < 0.25
    if not names:  # with a random last layer alone the others still react to shapes, but to either alike
        assert np.mean([hits(other, cases) for other in maps]) < hits(grad_cam_maps, cases) - 0.2


def test_the_same_weights_give_the_same_map(shape_classifier, cases, grad_cam_maps):
    for (x, genre, _), heat in zip(cases[:3], grad_cam_maps, strict=False):
        np.testing.assert_array_equal(explain(shape_classifier, x, genre).heat, heat)


def test_where_the_network_only_averages_it_is_the_class_activation_map(noise):
    """Selvaraju et al. 2017: with a global average and one dense layer, CAM is the special case."""
    model = averaging_model()
    conv, relu, _, dense = model.network.children().values()
    image = relu(conv(model.spec.to_input(noise[None])))[0]
    for genre in range(5):
        expected = np.maximum(image @ dense.weight.data[:, genre] / 80, 0)
        np.testing.assert_allclose(grad_cam(model, noise, genre), expected, rtol=1e-4, atol=1e-6)


def test_where_the_network_only_averages_a_map_of_positive_weights_adds_up_to_the_logit(noise):
    model = averaging_model()
    dense = model.network[3]
    dense.weight.data[...] = np.abs(dense.weight.data)
    logit = model.network.forward(model.spec.to_input(noise[None]))[0, 4]
    assert grad_cam(model, noise, 4).sum() == pytest.approx(logit - dense.bias.data[4], rel=1e-4)


def in_torch(torch, layer, x):
    """The output of a minicnn layer, computed by PyTorch; x (N, C, H, W) or (N, C)."""
    functional = torch.nn.functional
    match layer:
        case Residual():
            return sum(in_torch(torch, branch, x) for branch in layer.children().values())
        case Parallel():
            return torch.cat([in_torch(torch, branch, x) for branch in layer.children().values()], dim=1)
        case Sequential():
            for child in layer.children().values():
                x = in_torch(torch, child, x)
            return x
        case Conv2D():
            weight = torch.from_numpy(layer.weight.data).permute(3, 2, 0, 1)
            return functional.conv2d(x, weight, padding=layer.kernel_size[0] // 2)
        case BatchNorm():
            arrays = (layer.running_mean, layer.running_var, layer.weight.data, layer.bias.data)
            return functional.batch_norm(x, *map(torch.from_numpy, arrays), eps=layer.eps)
        case Dense():
            return x @ torch.from_numpy(layer.weight.data) + torch.from_numpy(layer.bias.data)
        case ReLU():
            return torch.relu(x)
        case MaxPool2D():
            return functional.max_pool2d(x, layer.size)
        case GlobalAveragePool2D():
            return x.mean(dim=(2, 3))
        case GlobalMaxPool2D():
            return x.amax(dim=(2, 3))
        case _:
            return x


@pytest.mark.oracle
def test_it_agrees_with_pytorchs_gradients_on_the_same_weights(shape_classifier, cases):
    torch = pytest.importorskip("torch")
    model = shape_classifier.trained_
    layers = list(model.network.children().values())
    head = next(
        i for i, layer in enumerate(layers) if isinstance(layer, Parallel) and layer.merge == "concat"
    )
    for pixels, genre, _ in cases[:8]:
        maps = []
        for view in (pixels[None], pixels[None, :, ::-1]):
            x = torch.from_numpy(model.spec.to_input(view)).permute(0, 3, 1, 2)
            image = in_torch(torch, Sequential(layers[:head]), x).requires_grad_()
            logit = in_torch(torch, Sequential(layers[head:]), image)[0, INDEX[genre]]
            (gradient,) = torch.autograd.grad(logit, image)
            weights = gradient.mean(dim=(2, 3), keepdim=True)
            maps.append((weights * image).sum(dim=1)[0].detach().numpy())
        expected = np.maximum((maps[0] + maps[1][:, ::-1]) / 2, 0)
        np.testing.assert_allclose(
            grad_cam(model, pixels, INDEX[genre]), expected, rtol=1e-3, atol=1e-4 * expected.max()
        )
