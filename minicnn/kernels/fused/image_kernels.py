"""The row kernels over whole images: a run of pixels, or a row of windows, with all its channels at a time.

Arrays are flat; ``affine`` and ``correction`` are the rows of the records of these names. Pixels, or rows of
windows, first..last-1 are counted through the batch; ``size`` is (height, width, channels) of its images.
"""

from __future__ import annotations

from minicnn.kernels.fused.records import Affine, Correction, Lanes, PixelRow, WindowRow
from minicnn.kernels.fused.row_kernels import (
    gradient_sums_pool_row,
    gradient_sums_row,
    input_gradient_pool_row,
    input_gradient_row,
    moments_row,
    normalize_pool_row,
    normalize_row,
    uncovered_input_gradient_row,
)
from minicnn.kernels.runtime.jit import inlined, jit
from minicnn.kernels.simd.emitter import WIDTH

# Pixels whose channels are all computed before the next pixels.
RUN = 64


@inlined
def affine_of(rows):  # type: ignore[no-untyped-def]
    """The record of which ``rows_of`` made these rows."""
    return Affine(rows[0], rows[1], rows[2], rows[3])


@inlined
def correction_of(rows):  # type: ignore[no-untyped-def]
    """The record of which ``rows_of`` made these rows."""
    return Correction(rows[0], rows[1], rows[2])


@inlined
def lanes_at(vector, channels):  # type: ignore[no-untyped-def]
    """The vector of channels from ``vector`` on, moved back where it would reach beyond the last channel."""
    channel = min(vector, channels - WIDTH)
    return Lanes(channel, vector - channel)


@inlined
def pixels_at(first, last, channels, lanes):  # type: ignore[no-untyped-def]
    """Pixels first..last-1, RUN of them at most, at these channels."""
    return PixelRow(first * channels + lanes.channel, min(RUN, last - first), channels)


@inlined
def windows_at(r, size, z_origin, pooled_origin, lanes):  # type: ignore[no-untyped-def]
    """Row r of the windows, at these channels; z begins at number ``z_origin`` of the batch's z, the pooled
    arrays at row ``pooled_origin`` of the windows."""
    height, width, channels = size
    rows, windows = height // 2, width // 2
    top = r // rows * height + r % rows * 2
    start = top * width * channels - z_origin
    pooled_start = (r - pooled_origin) * windows * channels
    return WindowRow(start + lanes.channel, windows, channels, width * channels, pooled_start + lanes.channel)


@jit
def moments(z, channels, first, last, pivot, sums, squares):  # type: ignore[no-untyped-def]
    """sums += sum of z - pivot and squares += sum of (z - pivot)**2 over pixels first..last-1."""
    for start in range(first, last, RUN):
        for vector in range(0, channels, WIDTH):
            lanes = lanes_at(vector, channels)
            moments_row(z, pixels_at(start, last, channels, lanes), lanes, pivot, sums, squares)


@jit
def normalize(z, affine, y, channels, first, last):  # type: ignore[no-untyped-def]
    """y = max(v, floor) for pixels first..last-1."""
    affine = affine_of(affine)
    for start in range(first, last, RUN):
        for vector in range(0, channels, WIDTH):
            lanes = lanes_at(vector, channels)
            normalize_row(z, pixels_at(start, last, channels, lanes), lanes, affine, y)


@jit
def normalize_pool(z, z_origin, affine, y, argmax, pooled_origin, size, first, last):  # type: ignore[no-untyped-def]
    """y = max(v, floor) at the largest v of each window, and which cell that is, for rows first..last-1."""
    affine = affine_of(affine)
    for r in range(first, last):
        for vector in range(0, size[2], WIDTH):
            lanes = lanes_at(vector, size[2])
            windows = windows_at(r, size, z_origin, pooled_origin, lanes)
            normalize_pool_row(z, windows, lanes, affine, y, argmax)


@jit
def gradient_sums(z, affine, dy, channels, first, last, sums, products):  # type: ignore[no-untyped-def]
    """sums += sum of g and products += sum of g * (z - mean) over pixels first..last-1."""
    affine = affine_of(affine)
    for start in range(first, last, RUN):
        for vector in range(0, channels, WIDTH):
            lanes = lanes_at(vector, channels)
            pixels = pixels_at(start, last, channels, lanes)
            gradient_sums_row(z, pixels, lanes, affine, dy, sums, products)


@jit
def gradient_sums_pool(z, affine, dy, argmax, size, first, last, sums, products):  # type: ignore[no-untyped-def]
    """The same with g at the largest cell of each window, for rows first..last-1 of windows."""
    affine = affine_of(affine)
    for r in range(first, last):
        for vector in range(0, size[2], WIDTH):
            lanes = lanes_at(vector, size[2])
            windows = windows_at(r, size, 0, 0, lanes)
            gradient_sums_pool_row(z, windows, lanes, affine, dy, argmax, sums, products)


@jit
def input_gradient(z, affine, correction, dy, dz, channels, first, last, bias):  # type: ignore[no-untyped-def]
    """dz, and bias += its sum, for pixels first..last-1."""
    affine, correction = affine_of(affine), correction_of(correction)
    for start in range(first, last, RUN):
        for vector in range(0, channels, WIDTH):
            lanes = lanes_at(vector, channels)
            pixels = pixels_at(start, last, channels, lanes)
            input_gradient_row(z, pixels, lanes, affine, correction, dy, dz, bias)


@jit
def input_gradient_pool(z, affine, correction, dy, argmax, dz, size, first, last, bias):  # type: ignore[no-untyped-def]
    """The same for rows first..last-1 of windows, and the pixels beside and below that no window covers."""
    affine, correction = affine_of(affine), correction_of(correction)
    height, width, channels = size
    for r in range(first, last):
        for vector in range(0, channels, WIDTH):
            lanes = lanes_at(vector, channels)
            windows = windows_at(r, size, 0, 0, lanes)
            input_gradient_pool_row(z, windows, lanes, affine, correction, dy, argmax, dz, bias)
            # Uncovered: the last pixel of both rows where the width is odd, the last row where the height is.
            bottom = r % (height // 2) == height // 2 - 1 and height % 2 == 1
            for line in range(3 if bottom else 2):
                count = width if line == 2 else width % 2
                if count > 0:
                    start = windows.start + line * windows.row + (width - count) * channels
                    pixels = PixelRow(start, count, channels)
                    uncovered_input_gradient_row(z, pixels, lanes, affine, correction, dz, bias)
