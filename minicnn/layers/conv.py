"""Two-dimensional convolution."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from minicnn.argument_checks import Pair, check_array, check_dtype, pair, positive_int
from minicnn.init import Initializer, he_normal, initial_weights
from minicnn.kernels import dispatch
from minicnn.layer import Layer, Parameter
from minicnn.shapes import ConvGeometry, Padding, check_groups, check_padding, describe_windows

# Every training step has the same few geometries.
_geometry = functools.lru_cache(maxsize=1024)(ConvGeometry.of)


class Conv2D(Layer):
    """Slides small filters over an image; each output pixel is a weighted sum of the pixels under a filter.

        y[n, i, j, o] = bias[o] + sum over p, q, c of  x[n, h, v, c] * weight[p, q, c, o]
        with  h = i * stride + p * dilation - top,   v = j * stride + q * dilation - left

    and x = 0 outside the image. (Strictly a cross-correlation: the filter is not flipped.)

    Shapes: x (N, H, W, C), weight (kh, kw, C / groups, O), bias (O,), y (N, OH, OW, O), where
        OH = floor((H + top + bottom - ((kh - 1) * dilation + 1)) / stride) + 1      and OW likewise.

    Backward, with dy = dL/dy of shape (N, OH, OW, O):
        dx[n, h, v, c]      = sum over o and i, j, p, q that read (h, v), dy[n, i, j, o] * weight[p, q, c, o]
        dweight[p, q, c, o] = sum over n, i, j of  dy[n, i, j, o] * x[n, h, v, c]
        dbias[o]            = sum over n, i, j of  dy[n, i, j, o]

    ``kernel_size``, ``stride``, ``dilation``: an integer or a pair (vertical, horizontal).
    ``padding``: "valid" (none), "same" (output ceil(H / stride), the odd pixel at the bottom and right), p,
        (vertical, horizontal) or ((top, bottom), (left, right)).
    ``groups``: both channel counts are cut into this many groups and filters see only their own;
        ``groups=in_channels`` is a depthwise convolution.
    ``rng``: a Generator or a seed for the initial weights. ``backend``: see ``minicnn.kernels.dispatch``.

    Most 3x3 filters run by Winograd's algorithm, which spreads a NaN or an infinity over up to 4x4 more
    outputs: the method ``algorithm`` returns the kernel's name; ``minicnn.kernels.algorithms`` explains how
    to force another.
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
        self.groups = check_groups("Conv2D", groups, self.in_channels, self.out_channels)
        self.backend = dispatch.check_backend(backend)
        dtype = check_dtype("Conv2D", dtype)
        shape = (*self.kernel_size, self.in_channels // self.groups, self.out_channels)
        self.weight = Parameter(initial_weights("Conv2D", init, shape, rng, dtype))
        self.bias = Parameter(np.zeros(self.out_channels, dtype), decay=False) if bias else None

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("Conv2D", x, ("N", "H", "W", self.in_channels), self.weight.data.dtype)
        geometry, b = self.geometry(x.shape), None if self.bias is None else self.bias.data
        y = dispatch.conv2d_forward(x, self.weight.data, b, geometry, self.backend)
        self.remember(x, geometry, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        geometry = self._accumulate(dy)
        return dispatch.conv2d_backward_input(dy, self.weight.data, geometry, self.backend)

    def backward_parameters(self, dy: np.ndarray) -> None:
        self._accumulate(dy)

    def _accumulate(self, dy: np.ndarray) -> ConvGeometry:
        """Add to the gradients of weight and bias; returns the geometry of the recorded forward pass."""
        x, geometry = self.recall()
        check_array("Conv2D.backward", dy, geometry.y_shape(len(x)), x.dtype)
        if self.weight.trainable:
            self.weight.accumulate(dispatch.conv2d_backward_weight(dy, x, geometry, self.backend))
        if self.bias is not None and self.bias.trainable:
            self.bias.accumulate(dispatch.channel_sums(dy, self.backend))
        return geometry

    def geometry(self, input_shape: tuple[int, ...]) -> ConvGeometry:
        """How the filters lie on an x of ``input_shape``. Raises ValueError where they do not fit."""
        windows = (self.stride, self.padding, self.dilation, self.groups)
        return _geometry(tuple(input_shape), self.weight.data.shape, *windows, name="Conv2D")

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.geometry(input_shape).y_shape(input_shape[0])

    def algorithm(self, input_shape: tuple[int, ...]) -> tuple[str, str]:
        """The kernel that computes y of an x of ``input_shape``, and the reason in a few words."""
        geometry, images = self.geometry(input_shape), input_shape[0]
        return dispatch.convolution_algorithm(geometry, self.weight.data.dtype, images, self.backend)

    def describe(self) -> str:
        windows = (self.kernel_size, self.stride, self.padding, self.dilation, self.groups)
        words = [f"{self.in_channels} -> {self.out_channels}", *describe_windows(*windows)]
        return ", ".join(words) + ("" if self.bias is not None else ", bias=False")
