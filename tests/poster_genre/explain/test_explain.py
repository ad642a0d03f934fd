"""Maps of the evidence: what they must show, what must destroy them, and that they agree with PyTorch's."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.explain.explain import enlarge, explain, genre_index, grad_cam, occlusion
from poster_genre.genres import GENRES, INDEX
from poster_genre.model.calibration import log_odds
from poster_genre.model.networks import SPECS
from poster_genre.model.trained_model import TrainedModel

SIDE = 8
RING, CROSS = "Western", "Sport"


def drawn(n, seed):
    """Noisy posters on which a ring means Western and a cross means Sport, each somewhere on its own half.

    Returns pixels, labels and for each poster {genre: (top, left)} of the shapes on it.
    """
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    away = np.hypot(down, across)
    shapes = {RING: (away < 4) & (away > 1.8), CROSS: np.abs(np.abs(down) - np.abs(across)) < 1.2}
    pixels = rng.integers(60, 120, (n, 36, 24, 3))
    labels, places = np.zeros((n, len(GENRES)), np.uint8), []
    for i in range(n):
        places.append({})
        for (genre, shape), half in zip(shapes.items(), rng.permutation(2), strict=True):
            if rng.random() < 0.5:
                top, left = int(rng.integers(10)) + 18 * int(half), int(rng.integers(16))
                pixels[i, top : top + SIDE, left : left + SIDE][shape] += 110
                labels[i, INDEX[genre]] = 1
                places[i][genre] = (top, left)
    return pixels.astype(np.uint8), labels, places


@pytest.fixture(scope="module")
def spotter():
    """A classifier that tells rings from crosses."""
    compact = SPECS["compact"]
    recipe = replace(
        compact.recipe,
        epochs=6,
        batch_size=16,
        learning_rate=1e-2,
        weight_decay=0.01,
        ema_decay=0.9,
        mixup_alpha=0.0,
        augmentation=None,
    )
    spec = replace(
        compact,
        input_size=(36, 24),
        recipe=recipe,
        arguments={"widths": [8, 16], "blocks": [1, 1], "stem_stride": 1, "dropout": 0.0},
    )
    pixels, labels, _ = drawn(440, 0)
    return PosterGenreClassifier(spec, seed=0).fit(pixels[:360], labels[:360], (pixels[360:], labels[360:]))


@pytest.fixture(scope="module")
def cases():
    """(pixels, genre, where its shape stands) of posters that the spotter has not seen."""
    pixels, _, places = drawn(36, 1)
    return [
        (x, genre, spot) for x, found in zip(pixels, places, strict=True) for genre, spot in found.items()
    ]


@pytest.fixture(scope="module")
def cams(spotter, cases):
    return [explain(spotter, x, genre).heat for x, genre, _ in cases]


@pytest.fixture(scope="module")
def occlusions(spotter, cases):
    return [explain(spotter, x, genre, method="occlusion").heat for x, genre, _ in cases]


def hits(maps, cases):
    """The share of maps whose hottest pixel lies on the shape, give or take a pixel."""
    found = []
    for heat, (_, _, (top, left)) in zip(maps, cases, strict=True):
        row, column = np.unravel_index(np.argmax(heat), heat.shape)
        found.append(-1 <= row - top <= SIDE and -1 <= column - left <= SIDE)
    return np.mean(found)


def likeness(first, second):
    """The mean rank correlation of pairs of maps; a map that is the same everywhere resembles nothing."""

    def ranks(heat):
        _, group, counts = np.unique(heat.ravel(), return_inverse=True, return_counts=True)
        centred = (np.cumsum(counts) - counts / 2)[group]
        centred = centred - centred.mean()
        length = np.linalg.norm(centred)
        return centred / length if length > 0 else centred

    return np.mean([ranks(a) @ ranks(b) for a, b in zip(first, second, strict=True)])


# What they must show.


def test_grad_cam_points_at_the_shape_that_makes_the_genre(cams, cases):
    assert hits(cams, cases) > 0.55  # a random pixel: 0.12


def test_occlusion_points_at_the_shape_that_makes_the_genre(occlusions, cases):
    assert hits(occlusions, cases) > 0.85


def test_the_two_methods_agree_on_a_poster_more_than_across_posters(cams, occlusions):
    shuffled = occlusions[1:] + occlusions[:1]
    assert likeness(cams, occlusions) > likeness(cams, shuffled) + 0.1


def scrambled(classifier, seed, names=""):
    """The same classifier with random numbers for the weights whose names begin with ``names``."""
    model = classifier.trained_
    other = PosterGenreClassifier.of(replace(model, network=copy.deepcopy(model.network)))
    rng = np.random.default_rng(seed)
    for name, parameter in other.trained_.network.parameters().items():
        if name.startswith(names):
            parameter.data[...] = rng.normal(0, parameter.data.std() + 0.1, parameter.data.shape)
    return other


@pytest.mark.parametrize("names", ["", "genres.weight"])
def test_random_weights_destroy_the_map(spotter, cases, cams, names):
    """Adebayo et al. 2018: a map that survives them shows the picture and not what was learned."""
    others = [scrambled(spotter, seed, names) for seed in range(5)]
    maps = [[explain(other, x, genre).heat for x, genre, _ in cases] for other in others]
    assert abs(np.mean([likeness(cams, other) for other in maps])) < 0.25
    if not names:  # with only the last layer scrambled the others still see shapes, but not which is which
        assert np.mean([hits(other, cases) for other in maps]) < hits(cams, cases) - 0.2


def test_the_same_weights_give_the_same_map(spotter, cases, cams):
    for (x, genre, _), heat in zip(cases[:3], cams, strict=False):
        np.testing.assert_array_equal(explain(spotter, x, genre).heat, heat)


# Facts.


def bare(layers, size, flip_average=False, mean=(0.0, 0.0, 0.0)):
    """A classifier around a network of these layers, as after ``load``."""
    spec = replace(SPECS["compact"], input_size=size, flip_average=flip_average, mean=mean)
    return PosterGenreClassifier.of(
        TrainedModel.uncalibrated(spec, Sequential(layers), np.full(len(GENRES), 0.1), {})
    )


def averaging(flip_average=False):
    rng = np.random.default_rng(2)
    layers = [Conv2D(3, 6, 3, padding="same", rng=rng), ReLU(), GlobalAveragePool2D(), Dense(6, 25, rng=rng)]
    return bare(layers, (10, 7), flip_average)


@pytest.fixture
def noise():
    return np.random.default_rng(3).integers(0, 256, (10, 7, 3), dtype=np.uint8)


def test_where_the_network_only_averages_grad_cam_is_the_class_activation_map(noise):
    """Selvaraju et al. 2017: with a global average and one dense layer, CAM is the special case."""
    classifier = averaging()
    conv, relu, _, dense = classifier.trained_.network.children().values()
    image = relu(conv(classifier.trained_.spec.to_input(noise[None])))[0]
    for genre in range(5):
        expected = np.maximum(image @ dense.weight.data[:, genre] / 70, 0)
        np.testing.assert_allclose(grad_cam(classifier, noise, genre), expected, rtol=1e-4, atol=1e-6)


def test_where_the_network_only_averages_a_map_of_no_opponents_adds_up_to_the_logit(noise):
    classifier = averaging()
    dense = classifier.trained_.network[3]
    dense.weight.data[...] = np.abs(dense.weight.data)
    logit = classifier.trained_.network.forward(classifier.trained_.spec.to_input(noise[None]))[0, 4]
    assert grad_cam(classifier, noise, 4).sum() == pytest.approx(logit - dense.bias.data[4], rel=1e-4)


def test_a_genre_that_everything_speaks_against_has_an_empty_map(noise):
    classifier = averaging()
    classifier.trained_.network[3].weight.data[...] = -1
    result = explain(classifier, noise, "Drama")
    assert result.strength == 0
    assert not result.heat.any()


@pytest.mark.parametrize("method", ["grad-cam", "occlusion"])
def test_the_map_of_the_mirror_image_is_the_mirror_image_of_the_map(noise, method):
    classifier = averaging(flip_average=True)
    plain, mirrored = (explain(classifier, x, "Drama", method=method).heat for x in (noise, noise[:, ::-1]))
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1e-4)


class OneCell:
    """Log-odds 2 while anything is left of one cell of the poster, 0 when it is all of the mean colour."""

    def __init__(self, row, column):
        spec = replace(SPECS["compact"], input_size=(24, 16), mean=(0.2, 0.4, 0.6))
        self.trained_ = TrainedModel.uncalibrated(spec, Sequential([ReLU()]), np.full(len(GENRES), 0.1), {})
        self.cell = (slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2))

    def predict_proba(self, pixels):
        colour = np.round(255 * np.array(self.trained_.spec.mean))
        there = (pixels[:, *self.cell] != colour).any(axis=(1, 2, 3))
        return np.repeat(1 / (1 + np.exp(-2.0 * there))[:, None], len(GENRES), axis=1)


@pytest.mark.parametrize(("row", "column"), [(5, 3), (0, 0), (11, 7)])
def test_occlusion_shares_what_a_cell_is_worth_among_the_squares_that_cover_it(row, column):
    pixels = np.full((24, 16, 3), 9, np.uint8)
    found = occlusion(OneCell(row, column), pixels, 0)
    near = [np.maximum(1 - np.abs(np.arange(n) - at) / 2, 0) for n, at in ((12, row), (8, column))]
    np.testing.assert_allclose(found, 2 * np.outer(*near), rtol=1e-5)


def test_occlusion_tells_its_progress_up_to_the_end(fitted, coloured_posters):
    told = []
    explain(
        fitted, coloured_posters[0][0], "Action", method="occlusion", progress=lambda *how: told.append(how)
    )
    done = [step for step, _ in told]
    assert done == sorted(set(done))
    assert told[-1][0] == told[-1][1] == 13 * 9


def test_enlarging_keeps_a_level_and_the_values_at_the_centres():
    np.testing.assert_allclose(enlarge(np.full((3, 2), 0.7), (12, 9)), 0.7, rtol=1e-6)
    grid = np.random.default_rng(4).random((4, 3))
    np.testing.assert_allclose(enlarge(grid, (12, 9))[1::3, 1::3], grid, rtol=1e-6)
    np.testing.assert_allclose(enlarge(grid, (4, 3)), grid, rtol=1e-6)


# What comes back.


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
    for source in (tmp_path / "poster.png", data, Image.fromarray(pixels)):
        np.testing.assert_array_equal(explain(fitted, source, "War").heat, expected)


def test_genres_are_found_in_any_case():
    assert genre_index(" sci-fi ") == INDEX["Sci-Fi"]
    assert genre_index("N/A") == INDEX["N/A"]


def test_an_unknown_genre_is_refused_with_all_25_names(fitted, coloured_posters):
    with pytest.raises(UsageError) as refused:
        explain(fitted, coloured_posters[0][0], "Noir")
    assert all(genre in str(refused.value) for genre in (*GENRES, "Noir"))


def test_an_unknown_method_and_a_missing_file_are_refused(fitted, coloured_posters):
    with pytest.raises(UsageError, match="grad-cam, occlusion"):
        explain(fitted, coloured_posters[0][0], method="guess")
    with pytest.raises(PosterGenreError, match=r"nowhere\.jpg"):
        explain(fitted, "nowhere.jpg")


def test_explaining_leaves_no_trace_in_the_network_and_threads_may_do_it_together(fitted, coloured_posters):
    pixels = coloured_posters[0][:12]
    before = {name: p.grad.copy() for name, p in fitted.trained_.network.parameters().items()}
    expected = [explain(fitted, x, "War").heat for x in pixels]
    found, answers = [None] * 12, [None] * 12

    def work(first):
        for i in range(first, 12, 4):
            answers[i] = fitted.predict_proba(pixels[i : i + 1])
            found[i] = explain(fitted, pixels[i], "War").heat

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(np.concatenate(answers), fitted.predict_proba(pixels), rtol=1e-4)
    for name, parameter in fitted.trained_.network.parameters().items():
        np.testing.assert_array_equal(parameter.grad, before[name])
    with pytest.raises(RuntimeError, match="recorded"):
        fitted.trained_.network.backward(np.zeros((1, 25), np.float32))


def test_occlusion_is_measured_in_log_odds_and_empty_places_weigh_nothing(fitted, coloured_posters):
    pixels = coloured_posters[0][0].copy()
    colour = np.round(255 * np.array(fitted.trained_.spec.mean)).astype(np.uint8)
    pixels[4:, :] = colour
    pixels[:, 4:] = colour
    index = INDEX["Drama"]
    covered = np.full_like(pixels, colour)
    lost = log_odds(fitted.predict_proba(pixels[None])) - log_odds(fitted.predict_proba(covered[None]))
    found = occlusion(fitted, pixels, index)
    assert found[0, 0] >= max(0.0, lost[0, index]) / 4 - 1e-6
    assert not found[3:, 3:].any()


# PyTorch.


def in_torch(torch, layer, x):
    """What a minicnn layer does, in PyTorch; x (N, C, H, W) or (N, C)."""
    functional = torch.nn.functional
    match layer:
        case Residual():
            return sum(in_torch(torch, branch, x) for branch in layer.children().values())
        case Parallel():
            return torch.cat([in_torch(torch, branch, x) for branch in layer.children().values()], dim=1)
        case Sequential():
            for inside in layer.children().values():
                x = in_torch(torch, inside, x)
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
def test_grad_cam_agrees_with_pytorch_autograd_on_the_same_weights(spotter, cases):
    torch = pytest.importorskip("torch")
    layers = list(spotter.trained_.network.children().values())
    head = next(
        i for i, layer in enumerate(layers) if isinstance(layer, Parallel) and layer.merge == "concat"
    )
    for pixels, genre, _ in cases[:8]:
        maps = []
        for view in (pixels[None], pixels[None, :, ::-1]):
            x = torch.from_numpy(spotter.trained_.spec.to_input(view)).permute(0, 3, 1, 2)
            image = in_torch(torch, Sequential(layers[:head]), x).requires_grad_()
            logit = in_torch(torch, Sequential(layers[head:]), image)[0, INDEX[genre]]
            (gradient,) = torch.autograd.grad(logit, image)
            found = (gradient.mean(dim=(2, 3), keepdim=True) * image).sum(dim=1)[0].detach().numpy()
            maps.append(found)
        expected = np.maximum((maps[0] + maps[1][:, ::-1]) / 2, 0)
        np.testing.assert_allclose(
            grad_cam(spotter, pixels, INDEX[genre]), expected, rtol=1e-3, atol=1e-4 * expected.max()
        )
