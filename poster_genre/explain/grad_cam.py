"""Grad-CAM (Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks", ICCV).

A_k is channel k of the network's last image, y the genre's logit:

    weight_k = mean over i, j of dy / dA_k[i, j]        map[i, j] = max(0, sum over k of weight_k A_k[i, j])

One forward pass, and a backward pass through the layers after that image. The map has the resolution of the
last image. An ensemble has a last image in every member; their maps add up as the members' logits do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minicnn.containers import Sequential
from minicnn.saliency import input_gradient
from poster_genre.explain.heat_map import resize_map
from poster_genre.genres import N_GENRES
from poster_genre.model.network_parts import NetworkParts, network_parts
from poster_genre.model.trained_model import TrainedModel


def grad_cam(model: TrainedModel, pixels: np.ndarray, genre: int) -> np.ndarray:
    """Grad-CAM of uint8 pixels (h, w, 3) for the genre of that index: float32 (rows, columns), at least 0.

    Rows and columns are those of the network's last image, of several last images the finest. Where the
    specification says ``flip_average``, the mean over the poster and its mirror image. Raises
    PosterGenreError for a network that does not end in a dense layer.
    """
    parts = network_parts(model.network, model.spec.input_size)
    maps = [_signed_map(parts, model.spec.to_input(pixels[None]), genre)]
    if model.spec.flip_average:
        mirrored = _signed_map(parts, model.spec.to_input(pixels[None, :, ::-1]), genre)
        maps.append(mirrored[:, ::-1])
    return np.maximum(np.mean(maps, axis=0), 0)


def _signed_map(parts: NetworkParts, x: np.ndarray, genre: int) -> np.ndarray:
    """``sum over k of weight_k A_k`` for one network input x (1, h, w, 3), added over the backbones."""
    images = [
        Sequential(backbone.layers).forward(x) if backbone.layers else x for backbone in parts.backbones
    ]
    row = np.concatenate([image.reshape(1, -1) for image in images], axis=1)
    one_hot = np.zeros((1, N_GENRES), np.float32)
    one_hot[0, genre] = 1
    _, gradient = input_gradient([*parts.neck, parts.head], row, one_hot)
    gradients = _split_row(gradient, images)
    return _sum_maps([_weighted_sum(a, da) for a, da in zip(images, gradients, strict=True)])


def _split_row(row: np.ndarray, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A row (1, numbers) split into arrays of the images' shapes, the inverse of their concatenation."""
    ends = np.cumsum([image.size for image in images])[:-1]
    return [part.reshape(image.shape) for part, image in zip(np.split(row[0], ends), images, strict=True)]


def _weighted_sum(image: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """``sum over k of weight_k A_k`` of an image A (1, h, w, C) and dy/dA of the same shape: (h, w)."""
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    return (weights * image).sum(axis=3)[0]


def _sum_maps(maps: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of maps at the cells of the finest; each keeps its total when it is resized."""
    if len(maps) == 1:
        return maps[0]
    size = max(each.shape[0] for each in maps), max(each.shape[1] for each in maps)
    cells = size[0] * size[1]
    return np.sum([resize_map(each, size) * np.float32(each.size / cells) for each in maps], axis=0)
