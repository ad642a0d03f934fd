"""A layer of one's own, checked: every channel times a weight of its own.

python tutorials/how_to/channel_scale.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.argument_checks import check_array, check_dtype, positive_int
from minicnn.layer import Layer, Parameter


class ChannelScale(Layer):
    """Multiplies every channel by a weight of its own, 1 at the start.

        y[n, i, j, c] = weight[c] * x[n, i, j, c]

    Shapes: x and y (N, H, W, C), weight (C,).

    Backward, with dy = dL/dy of shape (N, H, W, C):
        dx[n, i, j, c] = weight[c] * dy[n, i, j, c]
        dweight[c]     = sum over n, i, j of  dy[n, i, j, c] * x[n, i, j, c]
    """

    def __init__(self, channels: int, *, dtype: Any = np.float32) -> None:
        channels = positive_int("ChannelScale", "channels", channels)
        self.weight = Parameter(np.ones(channels, check_dtype("ChannelScale", dtype)))

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("ChannelScale", x, ("N", "H", "W", len(self.weight.data)), self.weight.data.dtype)
        self.remember(x, when=training if record is None else record)
        return x * self.weight.data

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (x,) = self.recall()
        check_array("ChannelScale.backward", dy, x.shape, x.dtype)
        self.weight.accumulate((dy * x).sum(axis=(0, 1, 2)))
        return dy * self.weight.data

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape


def main() -> None:
    """Check both gradients, then let the checker find a planted bug."""
    from minicnn.gradcheck import check_layer
    from minicnn.gradcheck.planted_bugs import PlantedBug

    layer = ChannelScale(3, dtype=np.float64)
    for result in check_layer(layer, (2, 5, 4, 3)):
        print(f"{result.tensor:8} error {result.error:.0e}  {result.verdict}")
    print("with a planted bug:")
    for result in check_layer(PlantedBug(layer, "weight"), (2, 5, 4, 3)):
        print(f"{result.tensor:8} error {result.error:.0e}  {result.verdict}")


if __name__ == "__main__":
    main()
