"""Receptive fields: the pixels that a number could have been another by.

A region of a layer's output is traced to the region of its input that it is computed from, and so on to the
poster. Where the window of a convolution hangs over an image's edge it reads zeros, so the region is cut off
there, layer by layer: what remains is what the number depends on, no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minicnn.containers import Parallel
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from minicnn.shapes import Pads, Pair, resolve_padding
from poster_genre.explain.layer_trace.trace import Step, image_shape


class Region(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the last of each not included."""

    top: int
    left: int
    bottom: int
    right: int


class Window(NamedTuple):
    """How a layer's windows lie on its input: sizes in numbers read, everything (vertical, horizontal)."""

    size: Pair
    stride: Pair
    dilation: Pair
    pads: Pads

    def corner(self, row: int, column: int) -> Pair:
        """The input pixel under the first cell of the window that makes output pixel (row, column).

        Outside the image (negative, say) where that cell lies on padding.
        """
        return row * self.stride[0] - self.pads[0][0], column * self.stride[1] - self.pads[1][0]


def window_of(step: Step, source: Step) -> Window | None:
    """The windows of a convolution or a pooling layer that reads ``source``; None for any other layer."""
    layer, size = step.layer, (source.shape[0], source.shape[-2] if len(source.shape) == 3 else 1)
    if isinstance(layer, Conv2D):
        pads = resolve_padding(layer.padding, size, layer.kernel_size, layer.stride, layer.dilation)
        return Window(layer.kernel_size, layer.stride, layer.dilation, pads)
    if isinstance(layer, (MaxPool2D, AveragePool2D)):
        pads = resolve_padding(layer.padding, size, layer.size, layer.stride)
        return Window(layer.size, layer.stride, (1, 1), pads)
    return None


def receptive_field(steps: Sequence[Step], index: int, row: int, column: int, channel: int) -> Region:
    """The smallest rectangle of the poster that a number of step ``index`` reads from."""
    regions: dict[int, Region] = {index: Region(row, column, row + 1, column + 1)}
    one = {index: channel}  # steps of which a single channel is read, as far as that is known
    for at in range(index, 0, -1):
        if at not in regions:
            continue
        step = steps[at]
        only = one.get(at)
        joined = joined_from(steps, step, only)
        for read in step.inputs if joined is None else [joined[0]]:
            region = read_by(step, steps[read], regions[at], only)
            fresh = read not in regions
            regions[read] = region if fresh else union(regions[read], region)
            same = len(step.inputs) == 1 and step.shape == steps[read].shape
            if fresh and only is not None and (same or joined is not None):
                one[read] = only if joined is None else joined[1]
            else:
                one.pop(read, None)
    return regions[0]


def joined_from(steps: Sequence[Step], step: Step, channel: int | None) -> Pair | None:
    """The step that a channel of joined branches comes from, and its channel there.

    None where the branches are not joined (but added, say), or the channel is not known.
    """
    if channel is None or not isinstance(step.layer, Parallel) or step.layer.merge != "concat":
        return None
    for read in step.inputs:
        channels = steps[read].shape[-1]
        if channel < channels:
            return read, channel
        channel -= channels
    return None


def read_by(step: Step, source: Step, region: Region, channel: int | None) -> Region:
    """The region of ``source`` that ``step`` reads to make ``region`` (of ``channel``, if that is known)."""
    height, width, channels = image_shape(source.shape)
    layer = step.layer
    window = window_of(step, source)
    if window is not None:
        top, left = window.corner(region.top, region.left)
        bottom, right = window.corner(region.bottom - 1, region.right - 1)
        bottom += (window.size[0] - 1) * window.dilation[0] + 1
        right += (window.size[1] - 1) * window.dilation[1] + 1
        return Region(max(top, 0), max(left, 0), min(bottom, height), min(right, width))
    if isinstance(layer, Flatten) and channel is not None:
        row, column = divmod(channel // channels, width)
        return Region(row, column, row + 1, column + 1)
    if isinstance(layer, (Flatten, Dense, GlobalAveragePool2D, GlobalMaxPool2D)):
        return Region(0, 0, height, width)
    if isinstance(layer, Parallel) and (height, width) != image_shape(step.shape)[:2]:
        return Region(0, 0, height, width)  # a gate of one pixel, broadcast over an image
    return region


def union(a: Region, b: Region) -> Region:
    return Region(min(a.top, b.top), min(a.left, b.left), max(a.bottom, b.bottom), max(a.right, b.right))
