"""Two-dimensional convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.init import Initializer, he_normal, initial_weights
from minicnn.kernels import dispatch
from minicnn.layer import Layer, Parameter
from minicnn.shapes import (
    Padding,
    Pads,
    Pair,
    check_array,
    check_dtype,
    check_padding,
    output_size,
    pair,
    positive_int,
    resolve_padding,
)


class Conv2D(Layer):
    """Slide small filters over an image; each output pixel is a weighted sum of the pixels under the filter.

        y[n, i, j, o] = bias[o] + sum over p, q, c of  x[n, h, v, c] * weight[p, q, c, o]
        with  h = i * stride + p * dilation - top,   v = j * stride + q * dilation - left

    and x = 0 outside the image. (Strictly a cross-correlation: the filter is not flipped, as everywhere.)

    Shapes: x (N, H, W, C), weight (kh, kw, C / groups, O), bias (O,), y (N, OH, OW, O), where
        OH = floor((H + top + bottom - ((kh - 1) * dilation + 1)) / stride) + 1      and OW likewise.

    Backward, with dy = dL/dy of shape (N, OH, OW, O):
        dx[n, h, v, c]      = sum over o and every (i, j, p, q) at (h, v), dy[n, i, j, o] * weight[p, q, c, o]
        dweight[p, q, c, o] = sum over n, i, j of  dy[n, i, j, o] * x[n, h, v, c]
        dbias[o]            = sum over n, i, j of  dy[n, i, j, o]

    ``kernel_size``, ``stride``, ``dilation``: an integer or a pair (vertical, horizontal).
    ``padding``: "valid" (none), "same" (output ceil(n / stride), the odd pixel at the bottom and right), p,
        (vertical, horizontal) or ((top, bottom), (left, right)).
    ``groups``: both channel counts are cut into this many groups and filters see only their own;
        ``groups=in_channels`` is a depthwise convolution.
    ``rng``: a Generator or a seed for the initial weights. ``backend``: see ``minicnn.kernels.dispatch``.

    With the "numba" backend ``algorithm`` says which kernel runs. For most 3x3 filters that is Winograd's
    (``minicnn.kernels.winograd``): exact to a few units in the last digit of the largest numbers nearby. A
    NaN or an infinity spoils the 4x4 outputs around it, not only the 3x3 that see it, and next to 1e6 they
    are off by about 1. ``MINICNN_CONVOLUTION=implicit`` in the environment forces another algorithm,
    ``backend="numpy"`` does so for one layer.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        *,
        stride: int | Pair = 1,
        padding: Padding = "valid",
        dilation: int | Pair = 1,
        groups: int = 1,
        bias: bool = True,
        rng: np.random.Generator | int,
        init: Initializer = he_normal,
        dtype: Any = np.float32,
        backend: str | None = None,
    ) -> None:
        self.in_channels = positive_int("Conv2D", "in_channels", in_channels)
        self.out_channels = positive_int("Conv2D", "out_channels", out_channels)
        self.kernel_size = pair("Conv2D", "kernel_size", kernel_size)
        self.stride = pair("Conv2D", "stride", stride)
        self.padding = check_padding("Conv2D", padding)
        self.dilation = pair("Conv2D", "dilation", dilation)
        self.groups = positive_int("Conv2D", "groups", groups)
        self.backend = backend if backend is None else dispatch.backend(backend)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"Conv2D: groups must divide both channel counts, got groups={self.groups} for "
                f"{self.in_channels} -> {self.out_channels} channels"
            )
        dtype = check_dtype("Conv2D", dtype)
        shape = (*self.kernel_size, self.in_channels // self.groups, self.out_channels)
        self.weight = Parameter(initial_weights("Conv2D", init, shape, rng, dtype))
        self.bias = Parameter(np.zeros(self.out_channels, dtype), decay=False) if bias else None

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("Conv2D", x, ("N", "H", "W", self.in_channels), self.weight.data.dtype)
        pads = self._pads(x.shape)
        b = None if self.bias is None else self.bias.data
        y = dispatch.conv2d_forward(
            x, self.weight.data, b, self.stride, pads, self.dilation, self.groups, self.backend
        )
        self.remember(x, y.shape, pads, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        x, pads = self._accumulate(dy)
        settings = (self.stride, pads, self.dilation, self.groups, self.backend)
        return dispatch.conv2d_backward_input(dy, self.weight.data, x.shape, *settings)

    def backward_parameters(self, dy: np.ndarray) -> None:
        self._accumulate(dy)

    def _accumulate(self, dy: np.ndarray) -> tuple[np.ndarray, Pads]:
        """Add to the gradients of weight and bias; returns the recorded x and its padding."""
        x, y_shape, pads = self.recall()
        check_array("Conv2D.backward", dy, y_shape, x.dtype)
        w = self.weight
        if w.trainable:
            settings = (self.stride, pads, self.dilation, self.groups, self.backend)
            w.accumulate(dispatch.conv2d_backward_weight(dy, x, w.data.shape, *settings))
        if self.bias is not None and self.bias.trainable:
            self.bias.accumulate(dispatch.channel_sums(dy, self.backend))
        return x, pads

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(input_shape) != 4 or input_shape[3] != self.in_channels:
            raise ValueError(f"Conv2D: expected shape (N, H, W, {self.in_channels}), got {input_shape}")
        size = (input_shape[1], input_shape[2])
        pads = self._pads(input_shape)
        out = output_size("Conv2D", size, self.kernel_size, self.stride, pads, self.dilation)
        return input_shape[0], *out, self.out_channels

    def algorithm(self, input_shape: tuple[int, ...]) -> tuple[str, str]:
        """Which kernel computes y of an x of ``input_shape`` (N, H, W, C), and why in a few words.

        The names are explained in ``minicnn.kernels.algorithms``; "naive" and "im2col" are those of the other
        backends. Nothing is computed. Raises ValueError where the shape does not fit.
        """
        images, height, width, _ = self.output_shape(input_shape)
        name = dispatch.backend(self.backend)
        if name != "numba":
            return {"naive": "naive", "numpy": "im2col"}[name], f"the backend is {name!r}"

        from minicnn.kernels import algorithms

        shape, dtype = self.weight.data.shape, self.weight.data.dtype
        out, settings = (height, width), (self.stride, self.dilation, self.groups)
        choice = algorithms.choose(shape, out, *settings, dtype, images)
        return choice.name, choice.reason

    def _pads(self, x_shape: tuple[int, ...]) -> Pads:
        size = (x_shape[1], x_shape[2])
        pads = resolve_padding(self.padding, size, self.kernel_size, self.stride, self.dilation)
        output_size("Conv2D", size, self.kernel_size, self.stride, pads, self.dilation)
        return pads

    def describe(self) -> str:
        words = [f"{self.in_channels} -> {self.out_channels}", "x".join(map(str, self.kernel_size))]
        if self.stride != (1, 1):
            words.append(f"stride={self.stride}")
        if self.padding != "valid":
            words.append(f"padding={self.padding!r}")
        if self.dilation != (1, 1):
            words.append(f"dilation={self.dilation}")
        if self.groups > 1:
            words.append(f"groups={self.groups}")
        return ", ".join(words) + ("" if self.bias is not None else ", bias=False")
