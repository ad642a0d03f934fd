"""How layers compute, drawn on axes: numbers in cells, windows, the wiring of a row, receptive fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minicnn.visualize.style import GREY, INK, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Frame = tuple[int, int, int, int]
"""(row, column, height, width) of a window, in cells."""


def number_grid(
    axes: Axes,
    values: np.ndarray,
    *,
    title: str = "",
    limit: float | None = None,
    frame: Frame | None = None,
    digits: int = 2,
) -> None:
    """Every number of an array (rows, columns) in its cell: red for positive, blue for negative.

    ``limit``  the size of a number that has the full colour; default: that of the largest.
    ``frame``  a window to outline.
    ``digits`` after the point, for floats.
    """
    _check_grid("number_grid", values)
    bound = float(limit or np.abs(values).max() or 1)
    axes.imshow(values, cmap="RdBu_r", vmin=-1.3 * bound, vmax=1.3 * bound)
    whole = values.dtype.kind in "biu"
    size = max(6.0, min(13.0, 80 / max(values.shape)))
    for (i, j), value in np.ndenumerate(values):
        text = str(int(value)) if whole else f"{value:.{digits}f}"
        ink = "white" if abs(value) > 0.9 * bound else "black"
        axes.text(j, i, text, ha="center", va="center", fontsize=size, color=ink)
    if frame is not None:
        _outline(axes, frame)
    _bare(axes, title)


def computation(axes: Sequence[Axes], image: np.ndarray, kernel: np.ndarray, row: int, column: int) -> None:
    """How one output number of a convolution is made, on four axes: image, patch, kernel, products.

    ``image`` (H, W) and ``kernel`` (kh, kw); the window's upper left cell lies over pixel (row, column) of
    the image. The title of the last panel has the sum.
    """
    _check_grid("computation", image)
    _check_grid("computation", kernel)
    kh, kw = kernel.shape
    if not (0 <= row <= image.shape[0] - kh and 0 <= column <= image.shape[1] - kw):
        raise ValueError(
            f"computation: a window of {kh}x{kw} at ({row}, {column}) is not inside an image of "
            f"{image.shape[0]}x{image.shape[1]}"
        )
    patch = image[row : row + kh, column : column + kw]
    products = patch * kernel
    limit = float(max(np.abs(image).max(), np.abs(products).max()))
    number_grid(axes[0], image, title="image x", limit=limit, frame=(row, column, kh, kw))
    number_grid(axes[1], patch, title="patch", limit=limit)
    number_grid(axes[2], kernel, title="kernel w", limit=limit)
    total = products.sum()
    text = str(int(total)) if products.dtype.kind in "biu" else f"{total:.2f}"
    number_grid(axes[3], products, title=f"products, sum {text}", limit=limit)


def signed_map(axes: Axes, values: np.ndarray, *, title: str = "", limit: float | None = None) -> None:
    """An array (rows, columns) as colours, white at 0, red above, blue below, with a colour bar.

    ``limit``: the number at the ends of the colour bar; default: the largest size in the array.
    """
    _check_grid("signed_map", values)
    bound = float(limit or np.abs(values).max() or 1)
    image = axes.imshow(values, cmap="RdBu_r", vmin=-bound, vmax=bound)
    axes.figure.colorbar(image, ax=axes, shrink=0.8)
    _bare(axes, title)


def wiring(axes: Axes, *, inputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
    """The connections of a convolution of one row without padding.

    Inputs are above, outputs below; a line is one product, and lines of one weight have the same colour.
    """
    outputs = (inputs - (dilation * (kernel - 1) + 1)) // stride + 1
    if min(inputs, kernel, stride, dilation) < 1 or outputs < 1:
        raise ValueError(
            f"wiring: a kernel of {kernel} with dilation {dilation} does not fit into {inputs} inputs"
        )
    from matplotlib import colormaps

    colours = [colormaps["viridis"](p / max(1, kernel - 1) * 0.85) for p in range(kernel)]
    centre = (stride * (outputs - 1) + dilation * (kernel - 1)) / 2
    places = [centre + stride * (i - (outputs - 1) / 2) for i in range(outputs)]
    for i, place in enumerate(places):
        for p in range(kernel):
            h = stride * i + dilation * p
            axes.plot([h, place], [1, 0], color=colours[p], lw=2, zorder=1, label=f"w{p}" if i == 0 else None)
    for name, row, level in (("x", list(range(inputs)), 1), ("y", places, 0)):
        axes.scatter(row, [level] * len(row), s=620, color="white", edgecolor=INK, zorder=2)
        for index, place in enumerate(row):
            axes.text(place, level, f"{name}{index}", ha="center", va="center", color=INK, zorder=3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.set_ylim(-0.25, 1.25)
    axes.set_xlim(-0.6, inputs - 0.4)
    axes.set_axis_off()


def receptive_field(axes: Axes, sizes: Sequence[int], *, image: tuple[int, int], title: str = "") -> None:
    """Squares of growing receptive fields around the centre of an image (height, width), one a layer.

    ``sizes``: the field of one output number of each layer, in pixels of the image. It stands at the upper
    right corner of its square, where there is room.
    """
    if not len(sizes) or min(sizes) < 1:
        raise ValueError(f"receptive_field: expected sizes of at least 1 pixel, got {list(sizes)}")
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    height, width = image
    reach, labelled = max(height, width, *sizes) / 2, np.inf
    axes.add_patch(Rectangle((0, 0), width, height, fill=False, ec=GREY, lw=1.5))
    for number, size in reversed(list(enumerate(sizes))):
        colour = colormaps["viridis"](number / max(1, len(sizes) - 1) * 0.9)
        corner = ((width - size) / 2, (height - size) / 2)
        axes.add_patch(Rectangle(corner, size, size, fill=False, ec=colour, lw=2))
        if labelled - size > 0.2 * reach:  # two texts would overlap
            axes.text(
                corner[0] + size, corner[1], str(size), color=colour, fontsize=8, ha="right", va="bottom"
            )
            labelled = size
    axes.set_xlim(width / 2 - 1.05 * reach, width / 2 + 1.05 * reach)
    axes.set_ylim(height / 2 + 1.05 * reach, height / 2 - 1.05 * reach)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=10, color=INK)
    axes.set_xlabel("pixels of the image", color=INK)


def _check_grid(name: str, values: np.ndarray) -> None:
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "biuf":
        raise ValueError(
            f"{name}: expected an array of numbers (rows, columns), got {values.dtype} {values.shape}"
        )


def _outline(axes: Axes, frame: Frame) -> None:
    from matplotlib.patches import Rectangle

    row, column, height, width = frame
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, fill=False, lw=3, ec=ORANGE))


def _bare(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, color=INK)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(GREY)
