"""The roofline model (Williams, Waterman and Patterson 2009) drawn on axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from minicnn.visualize.style import GREY, INK, LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def roofline(
    axes: Axes,
    points: Mapping[str, tuple[float, float]],
    *,
    peak: float,
    bandwidth: float,
) -> None:
    """The speed that a machine allows over arithmetic intensity, and what programs reach of it.

        speed <= min(peak, intensity * bandwidth)

    ``points``     the name of a program: (intensity in FLOP/byte, measured speed in GFLOP/s).
    ``peak``       GFLOP/s of the arithmetic units; ``bandwidth`` of the memory in GB/s.
    """
    numbers = [peak, bandwidth, *(number for point in points.values() for number in point)]
    if not all(np.isfinite(number) and number > 0 for number in numbers):
        raise ValueError("roofline: intensities, speeds, peak and bandwidth must be above 0")
    ridge = peak / bandwidth
    intensities = [intensity for intensity, _ in points.values()]
    x = np.geomspace(min([*intensities, ridge]) / 3, max([*intensities, ridge]) * 3, 200)
    axes.plot(x, np.minimum(peak, x * bandwidth), color=INK, lw=2)
    axes.axvline(ridge, color=GREY, ls=":", lw=1)
    for number, (name, (intensity, speed)) in enumerate(points.items()):
        colour = LINES[number % len(LINES)]
        axes.plot(intensity, speed, "o", color=colour, ms=8, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("arithmetic intensity, FLOP/byte", color=INK)
    axes.set_ylabel("GFLOP/s", color=INK)
    axes.grid(which="major", color="#e6e9ec")
    if points:
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
