"""Receptive fields: the region of the poster that a number of a layer's output is computed from.

A region of a layer's output is traced back to the region of its input that it reads, and so on to the poster.
Where a window extends over the border of an image it reads zeros, so the region is cut off there in every
layer: the result is the smallest rectangle around the pixels that the number depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minicnn.argument_checks import Pair
from minicnn.containers import Parallel
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten
from minicnn.shapes import Geometry, effective_kernel
from poster_genre.explain.layer_trace.steps import Step, image_shape


class Region(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the last of each excluded."""

    top: int
    left: int
    bottom: int
    right: int


def geometry_of(step: Step, source: Step) -> Geometry | None:
    """How the windows of a convolution or a pooling layer lie on ``source``; None for any other layer."""
    if isinstance(step.layer, (Conv2D, MaxPool2D, AveragePool2D)):
        return step.layer.geometry((1, *source.shape))
    return None


def corner(geometry: Geometry, row: int, column: int) -> Pair:
    """Row and column of the top left cell of the window of output pixel (row, column).

    Outside the image (negative, say) where that cell is padding.
    """
    (top, _), (left, _) = geometry.padding
    return row * geometry.stride[0] - top, column * geometry.stride[1] - left


def receptive_field(steps: Sequence[Step], index: int, row: int, column: int, channel: int) -> Region:
    """The smallest rectangle of the poster that a number of step ``index`` is computed from."""
    regions: dict[int, Region] = {index: Region(row, column, row + 1, column + 1)}
    single_channel = {index: channel}  # steps of which one channel alone is read, as far as that is known
    for i in range(index, 0, -1):
        if i not in regions:
            continue
        step = steps[i]
        only = single_channel.get(i)
        concatenated = concat_source(steps, step, only)
        for source in step.inputs if concatenated is None else [concatenated[0]]:
            region = input_region(step, steps[source], regions[i], only)
            is_new = source not in regions
            regions[source] = region if is_new else union(regions[source], region)
            same_shape = len(step.inputs) == 1 and step.shape == steps[source].shape
            if is_new and only is not None and (same_shape or concatenated is not None):
                single_channel[source] = only if concatenated is None else concatenated[1]
            else:
                single_channel.pop(source, None)
    return regions[0]


def concat_source(steps: Sequence[Step], step: Step, channel: int | None) -> Pair | None:
    """(step, channel) that a channel of concatenated branches is copied from.

    None where the step concatenates no branches (but adds them, say), or the channel is not known.
    """
    if channel is None or not isinstance(step.layer, Parallel) or step.layer.merge != "concat":
        return None
    for source in step.inputs:
        channels = steps[source].shape[-1]
        if channel < channels:
            return source, channel
        channel -= channels
    return None


def input_region(step: Step, source: Step, region: Region, channel: int | None) -> Region:
    """The region of the output of ``source`` that ``step`` reads to compute ``region`` of its own output.

    ``channel``: of that channel alone; None: of any channel.
    """
    height, width, channels = image_shape(source.shape)
    layer = step.layer
    geometry = geometry_of(step, source)
    if geometry is not None:
        top, left = corner(geometry, region.top, region.left)
        bottom, right = corner(geometry, region.bottom - 1, region.right - 1)
        bottom += effective_kernel(geometry.kernel[0], geometry.dilation[0])
        right += effective_kernel(geometry.kernel[1], geometry.dilation[1])
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
    """The smallest region that contains both."""
    return Region(min(a.top, b.top), min(a.left, b.left), max(a.bottom, b.bottom), max(a.right, b.right))
