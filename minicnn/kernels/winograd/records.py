"""Where the kernels of Winograd's convolution find their numbers: starts and steps, by name.

Arrays are flat; W is WIDTH, the channels in one vector. The 36 transformed positions of many tiles lie as

    [36][panel][tile][W]        a panel: W channels

The record of all of them is ``Layout``, that of one tile and panel ``Points``.
"""

from __future__ import annotations

from typing import NamedTuple

from minicnn.shapes import ConvGeometry


class Tiling(NamedTuple):
    """What the loops over tiles read of a 3x3 convolution of stride 1.

    Its images are (height, width, channels), its outputs (out_height, out_width, outputs); the window of
    output pixel (0, 0) begins at pixel (-top, -left) of the image.
    """

    height: int
    width: int
    channels: int
    top: int
    left: int
    out_height: int
    out_width: int
    outputs: int

    @classmethod
    def of(cls, geometry: ConvGeometry) -> Tiling:
        """The tiling of a convolution."""
        (top, _), (left, _) = geometry.padding
        return cls(*geometry.image, geometry.in_channels, top, left, *geometry.output, geometry.out_channels)


class Part(NamedTuple):
    """What one task of the forward pass computes: some tiles, and some panels of output channels.

    Tiles first..last-1, counted through the batch, ``block`` at a time; panels first_panel..last_panel-1. The
    arrays that it receives begin with the filters of its first panel, and with number ``origin`` of y.
    """

    first: int
    last: int
    block: int
    first_panel: int
    last_panel: int
    origin: int


class Image(NamedTuple):
    """Size of the images of a batch."""

    height: int
    width: int
    channels: int


class Window(NamedTuple):
    """A square of ``size`` x ``size`` pixels of image n, which may reach beyond the image."""

    n: int
    top: int
    left: int
    size: int


class Square(NamedTuple):
    """Where the pixels of a square lie: pixel (i, j) begins ``i * row + j * column`` numbers after
    ``address``."""

    address: int
    row: int
    column: int


class Layout(NamedTuple):
    """How 36 matrices [panel][tile][W] lie in their array: the vector of matrix k, panel p and tile t begins
    at ``k * plane + p * panel + t * W``."""

    plane: int
    panel: int


class Points(NamedTuple):
    """Where the 36 positions of one tile lie: the vector of position k begins at ``start + k * plane``."""

    start: int
    plane: int


class Taps(NamedTuple):
    """Where the nine taps of filters lie: the vector of tap t begins at ``start + t * tap``."""

    start: int
    tap: int


class FilterLayout(NamedTuple):
    """Where filters lie in their array: tap t of row r, lane l is ``start + t * tap + r * row + l * lane``.

    Rows are the channels that are summed over, lanes the channels of the result.
    """

    start: int
    tap: int
    row: int
    rows: int
    lane: int
    lanes: int
