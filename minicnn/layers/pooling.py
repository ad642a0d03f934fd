"""Pooling: one number for each window of pixels, or for the whole image."""

from __future__ import annotations

import functools

import numpy as np

from minicnn.argument_checks import Pair, check_array, check_shape, pair
from minicnn.kernels import dispatch
from minicnn.layer import Layer
from minicnn.shapes import Padding, PoolGeometry, check_padding, describe_windows

# Every step of a training has the same few geometries.
_geometry = functools.lru_cache(maxsize=1024)(PoolGeometry.of)


class _Pool2D(Layer):
    """What MaxPool2D and AveragePool2D share: the windows' settings and geometry."""

    def __init__(
        self, size: int | Pair, stride: int | Pair | None, padding: Padding, backend: str | None
    ) -> None:
        kind = type(self).__name__
        self.size = pair(kind, "size", size)
        self.stride = self.size if stride is None else pair(kind, "stride", stride)
        self.padding = check_padding(kind, padding)
        self.backend = dispatch.check_backend(backend)

    def geometry(self, input_shape: tuple[int, ...]) -> PoolGeometry:
        """How the windows lie on an x of ``input_shape``. Raises ValueError where they do not fit."""
        kind = type(self).__name__
        return _geometry(tuple(input_shape), self.size, self.stride, self.padding, name=kind)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.geometry(input_shape).y_shape(input_shape[0], input_shape[3])

    def describe(self) -> str:
        return ", ".join(describe_windows(self.size, self.stride, self.padding, default_stride=self.size))


class MaxPool2D(_Pool2D):
    """The largest number in each window.

        y[n, i, j, c] = max over p, q of  x[n, i * stride + p - top, j * stride + q - left, c]

    Shapes: x (N, H, W, C), y (N, OH, OW, C), where
        OH = floor((H + top + bottom - size) / stride) + 1      and OW likewise.
    ``stride`` is ``size`` unless given. Padding is never the maximum; a window over padding alone is a
    ValueError.

    Backward: dx[n, h, v, c] = sum of dy[n, i, j, c] over the windows whose maximum is at (h, v).
    Ties go to the first maximum, row by row. A NaN in a window is its maximum and shows in y.
    """

    def __init__(
        self,
        size: int | Pair = 2,
        *,
        stride: int | Pair | None = None,
        padding: Padding = "valid",
        backend: str | None = None,
    ) -> None:
        super().__init__(size, stride, padding, backend)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("MaxPool2D", x, ("N", "H", "W", "C"))
        geometry = self.geometry(x.shape)
        y, argmax = dispatch.maxpool2d_forward(x, geometry, self.backend)
        self.remember(argmax, x.dtype, geometry, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        argmax, dtype, geometry = self.recall()
        check_array("MaxPool2D.backward", dy, argmax.shape, dtype)
        return dispatch.maxpool2d_backward(dy, argmax, geometry, self.backend)


class AveragePool2D(_Pool2D):
    """The mean of each window, over the pixels of the image under it: padding is not counted.

        y[n, i, j, c] = sum over p, q of  x[n, i * stride + p - top, j * stride + q - left, c]  /  count[i, j]

    Shapes: x (N, H, W, C), y (N, OH, OW, C), where
        OH = floor((H + top + bottom - size) / stride) + 1      and OW likewise.
    ``stride`` is ``size`` unless given. A window over padding alone is a ValueError.

    Backward: dx[n, h, v, c] = sum of dy[n, i, j, c] / count[i, j] over the windows that contain (h, v).
    """

    def __init__(
        self,
        size: int | Pair = 2,
        *,
        stride: int | Pair | None = None,
        padding: Padding = "valid",
        backend: str | None = None,
    ) -> None:
        super().__init__(size, stride, padding, backend)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("AveragePool2D", x, ("N", "H", "W", "C"))
        geometry = self.geometry(x.shape)
        y = dispatch.averagepool2d_forward(x, geometry, self.backend)
        self.remember(y.shape, x.dtype, geometry, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        y_shape, dtype, geometry = self.recall()
        check_array("AveragePool2D.backward", dy, y_shape, dtype)
        return dispatch.averagepool2d_backward(dy, geometry, self.backend)


class _GlobalPool2D(Layer):
    """What the global pools share: the output's shape."""

    keepdims: bool

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        check_shape(type(self).__name__, input_shape, ("N", "H", "W", "C"))
        n, _, _, c = input_shape
        return (n, 1, 1, c) if self.keepdims else (n, c)

    def describe(self) -> str:
        return "keepdims=True" if self.keepdims else ""


class GlobalAveragePool2D(_GlobalPool2D):
    """The mean of each channel over the whole image, ``y[n, c] = sum over h, v of x[n, h, v, c] / (H * W)``.

    Shapes: x (N, H, W, C), y (N, C), or (N, 1, 1, C) with ``keepdims=True``, which broadcasts against images.

    Backward: dx[n, h, v, c] = dy[n, c] / (H * W).
    Sums are taken in float64: a float32 sum over a million pixels, one after the other, is off by a percent.
    """

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = bool(keepdims)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("GlobalAveragePool2D", x, ("N", "H", "W", "C"))
        self.remember(x.shape, x.dtype, when=training if record is None else record)
        return dispatch.global_average(x).reshape(self.output_shape(x.shape))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (n, h, w, c), dtype = self.recall()
        check_array("GlobalAveragePool2D.backward", dy, self.output_shape((n, h, w, c)), dtype)
        dx = np.empty((n, h, w, c), dtype)
        dx[...] = dy.reshape(n, 1, 1, c) / (h * w)
        return dx


class GlobalMaxPool2D(_GlobalPool2D):
    """The largest number of each channel in the whole image, ``y[n, c] = max over h, v of x[n, h, v, c]``.

    Shapes: x (N, H, W, C), y (N, C), or (N, 1, 1, C) with ``keepdims=True``.

    Backward: dx is dy[n, c] at the pixel that held the maximum, 0 elsewhere. Ties go to the first pixel, row
    by row. A NaN is the maximum and shows in y.
    """

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = bool(keepdims)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("GlobalMaxPool2D", x, ("N", "H", "W", "C"))
        n, h, w, c = x.shape
        pixels = x.reshape(n, h * w, c)
        argmax = pixels.argmax(axis=1, keepdims=True)
        self.remember(argmax, x.shape, x.dtype, when=training if record is None else record)
        return np.take_along_axis(pixels, argmax, axis=1).reshape(self.output_shape(x.shape))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        argmax, (n, h, w, c), dtype = self.recall()
        check_array("GlobalMaxPool2D.backward", dy, self.output_shape((n, h, w, c)), dtype)
        dx = np.zeros((n, h * w, c), dtype)
        np.put_along_axis(dx, argmax, dy.reshape(n, 1, c), axis=1)
        return dx.reshape(n, h, w, c)
