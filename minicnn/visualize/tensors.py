"""Filters and feature maps: whole PNG files, and kernels on axes of the caller."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minicnn.serialize import PathLike
from minicnn.visualize.style import GREY, INK, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def filter_grid(weights: np.ndarray, path: PathLike, *, limit: int = 16) -> None:
    """The filters of a convolution, ``weights`` of shape (kh, kw, c_in, c_out).

    Filters over three channels are shown in colour, each scaled to its own largest weight, grey being 0.
    Others are shown one input channel a row and one filter a column, at most ``limit`` of each, blue for
    negative and red for positive weights.
    """
    _check_weights("filter_grid", weights)
    c_in, c_out = weights.shape[2:]
    filters = np.moveaxis(weights, (3, 2), (0, 1)).astype(np.float64)  # (c_out, c_in, kh, kw)
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    filters = filters / np.where(largest > 0, largest, 1)
    size, channels = "x".join(map(str, weights.shape[:2])), "1 channel" if c_in == 1 else f"{c_in} channels"
    title = f"{c_out} filters of {size} over {channels}"
    if c_in == 3:
        picture = mosaic(np.moveaxis(filters, 1, 3) / 2 + 0.5, _columns(c_out))
        _show(np.where(np.isnan(picture), 1.0, picture), title, path)
        return
    rows, columns = min(c_in, limit), min(c_out, limit)
    tiles = np.swapaxes(filters[:columns, :rows], 0, 1).reshape(-1, *weights.shape[:2])
    if rows < c_in or columns < c_out:
        title += f" (the first {columns} filters, {rows} channels)"
    # White stands for a weight of 0, so the gaps must not be white.
    _show(mosaic(tiles, columns), title, path, between=GREY, cmap="RdBu_r", vmin=-1, vmax=1)


def feature_maps(activations: np.ndarray, path: PathLike, *, limit: int = 64) -> None:
    """The output of a layer for one image: ``activations`` (h, w, c) or (1, h, w, c), one tile a channel.

    Each channel is scaled to its own range; a constant one (a dead unit) is plain dark. At most ``limit``
    channels are shown.
    """
    maps = activations[0] if activations.ndim == 4 and len(activations) == 1 else activations
    if maps.ndim != 3 or maps.size == 0:
        raise ValueError(f"feature_maps: expected one image's (h, w, channels), got {activations.shape}")
    tiles = np.moveaxis(maps, 2, 0)[:limit].astype(np.float64)
    low, high = tiles.min(axis=(1, 2), keepdims=True), tiles.max(axis=(1, 2), keepdims=True)
    tiles = (tiles - low) / np.where(high > low, high - low, 1)
    title = f"{maps.shape[2]} feature maps of {maps.shape[0]}x{maps.shape[1]}"
    if len(tiles) < maps.shape[2]:
        title += f" (the first {len(tiles)})"
    height, width = maps.shape[:2]
    columns = _columns(len(tiles), height / width)
    _show(mosaic(tiles, columns), title, path, cmap="magma", vmin=0, vmax=1)


def kernel_grid(axes: Axes, weights: np.ndarray, *, title: str = "") -> None:
    """The kernels of ``weights`` (kh, kw, c_in, c_out): one input channel a row, one filter a column.

    All kernels share one scale with a colour bar: white is 0, red positive and blue negative.
    """
    _check_weights("kernel_grid", weights)
    c_in, c_out = weights.shape[2:]
    tiles = np.moveaxis(weights, (2, 3), (0, 1)).reshape(-1, *weights.shape[:2]).astype(np.float64)
    bound = float(np.abs(tiles).max()) or 1.0
    picture = mosaic(tiles, c_out)
    image = axes.imshow(picture, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
    axes.figure.colorbar(image, ax=axes, shrink=0.8, label="weight")
    axes.set_facecolor(GREY)
    tile_height, tile_width = (picture.shape[0] / c_in, picture.shape[1] / c_out)
    axes.set_yticks([(c + 0.5) * tile_height for c in range(c_in)], [str(c) for c in range(c_in)])
    axes.set_xticks([(o + 0.5) * tile_width for o in range(c_out)], [str(o) for o in range(c_out)])
    axes.set_ylabel("input channel")
    axes.set_xlabel("filter")
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=10, color=INK)


def mosaic(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Tiles (n, h, w) or (n, h, w, 3) laid out row by row with narrow gaps between; the gaps are NaN.

    Small tiles are enlarged by a whole factor, for a gap cannot be narrower than a pixel.
    """
    factor = math.ceil(24 / min(tiles.shape[1:3]))
    tiles = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    n, h, w = tiles.shape[:3]
    rows, gap = math.ceil(n / columns), max(1, round(min(h, w) / 12))
    out = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, *tiles.shape[3:]), np.nan)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        out[top : top + h, left : left + w] = tile
    return out


def _check_weights(name: str, weights: np.ndarray) -> None:
    if weights.ndim != 4 or weights.size == 0:
        raise ValueError(f"{name}: expected weights of shape (kh, kw, c_in, c_out), got {weights.shape}")


def _columns(count: int, aspect: float = 1.0) -> int:
    """Columns that make a grid of ``count`` tiles (height / width = aspect) half again as wide as high."""
    return max(1, min(count, round(math.sqrt(1.5 * count * aspect))))


def _show(picture: np.ndarray, title: str, path: PathLike, between: str = "white", **colours: Any) -> None:
    height, width = picture.shape[:2]
    scale = 7.0 / max(height, width)
    figure, (axes,) = new_figure(1)
    figure.set_size_inches(max(width * scale, 4.2) + 0.2, height * scale + 0.5)
    axes.imshow(picture, interpolation="nearest", **colours)
    axes.set_facecolor(between)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    save_figure(figure, path)
