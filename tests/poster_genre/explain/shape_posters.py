"""Posters with two shapes that stand for genres, and classifiers and measures for maps of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minicnn.containers import Sequential
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import GlobalAveragePool2D
from poster_genre.genres import GENRES, INDEX
from poster_genre.model.networks import SPECS
from poster_genre.model.trained_model import TrainedModel

SIDE = 8
RING, CROSS = "Western", "Sport"


def draw_shapes(n, seed):
    """Noisy posters (36, 24) on which a ring means Western and a cross Sport, each on its own half.

    Returns pixels, labels and for each poster {genre: (top, left)} of the shapes on it.
    """
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    radius = np.hypot(down, across)
    shapes = {RING: (radius < 4) & (radius > 1.8), CROSS: np.abs(np.abs(down) - np.abs(across)) < 1.2}
    pixels = rng.integers(60, 120, (n, 36, 24, 3))
    labels, corners = np.zeros((n, len(GENRES)), np.uint8), []
    for i in range(n):
        corners.append({})
        for (genre, shape), half in zip(shapes.items(), rng.permutation(2), strict=True):
            if rng.random() < 0.5:
                top, left = int(rng.integers(10)) + 18 * int(half), int(rng.integers(16))
                pixels[i, top : top + SIDE, left : left + SIDE][shape] += 110
                labels[i, INDEX[genre]] = 1
                corners[i][genre] = (top, left)
    return pixels.astype(np.uint8), labels, corners


def hits(maps, cases):
    """The share of maps whose maximum is on the shape, give or take a pixel."""
    inside = []
    for heat, (_, _, (top, left)) in zip(maps, cases, strict=True):
        row, column = np.unravel_index(np.argmax(heat), heat.shape)
        inside.append(-1 <= row - top <= SIDE and -1 <= column - left <= SIDE)
    return np.mean(inside)


def rank_correlation(first, second):
    """The mean rank correlation of pairs of maps; that of a constant map with any other is 0."""

    def ranks(heat):
        _, group, counts = np.unique(heat.ravel(), return_inverse=True, return_counts=True)
        centred = (np.cumsum(counts) - counts / 2)[group]
        centred = centred - centred.mean()
        length = np.linalg.norm(centred)
        return centred / length if length > 0 else centred

    return np.mean([ranks(a) @ ranks(b) for a, b in zip(first, second, strict=True)])


def model_of(layers, size, flip_average=False):
    """An untrained model around a network of these layers, for inputs of ``size`` (height, width)."""
    spec = replace(SPECS["compact"], input_size=size, flip_average=flip_average, mean=(0.0, 0.0, 0.0))
    return TrainedModel.uncalibrated(spec, Sequential(layers), np.full(len(GENRES), 0.1), {})


def averaging_model(flip_average=False):
    """A convolution whose images are averaged, and a dense layer, for inputs (10, 8)."""
    rng = np.random.default_rng(2)
    layers = [Conv2D(3, 6, 3, padding="same", rng=rng), ReLU(), GlobalAveragePool2D(), Dense(6, 25, rng=rng)]
    return model_of(layers, (10, 8), flip_average)
