"""Batch normalisation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minicnn.argument_checks import check_array, check_dtype, check_shape, positive_int, real
from minicnn.kernels import dispatch
from minicnn.layer import Layer, Parameter
from minicnn.shapes import channels_last


class BatchNorm(Layer):
    """Gives every channel mean 0 and variance 1 over the batch, then a scale and a shift of its own.

    Ioffe and Szegedy 2015. For each channel, over its M = N numbers of x (N, C), or its M = N * H * W
    numbers of x (N, H, W, C):

        mean  = sum x / M            var = sum (x - mean)**2 / M          inv_std = 1 / sqrt(var + eps)
        x_hat = (x - mean) * inv_std                                       y = weight * x_hat + bias

    With ``training=True`` mean and var are the batch's, and the running statistics move towards them,
        running = (1 - momentum) * running + momentum * batch,
    where running_var takes the unbiased var * M / (M - 1), as in PyTorch, or the biased var, as in Keras,
    with ``unbiased_running_variance=False``. (Keras counts momentum the other way: its 0.99 is 0.01 here.)
    With ``training=False`` mean and var are the running statistics.

    Shapes: x and y (N, C) or (N, H, W, C); weight (gamma), bias (beta), running_mean, running_var (C,).
    Raises ValueError when training on a single number a channel: its variance is 0 whatever it is.

    Backward. Every x has three ways to the loss: its own x_hat, the mean and the variance. With
    g = dL/dx_hat = weight * dy,
        dbias = sum dy,                        dweight = sum dy * x_hat
        dL/dvar  = sum g * (x - mean) * (-1/2) * inv_std**3
        dL/dmean = -inv_std * sum g            (the part through var vanishes, since sum (x - mean) = 0)
        dx = g * inv_std  +  dL/dmean / M  +  dL/dvar * 2 * (x - mean) / M
    and after putting the sums in:
        dx = weight * inv_std * (dy - dbias / M - x_hat * dweight / M)
    After an inference pass (``training=False, record=True``) the statistics are constants and the last two
    terms drop out: dx = weight * inv_std * dy.
    """

    buffers: ClassVar[tuple[str, ...]] = ("running_mean", "running_var")

    def __init__(
        self,
        features: int,
        *,
        momentum: float = 0.1,
        eps: float = 1e-5,
        unbiased_running_variance: bool = True,
        dtype: Any = np.float32,
        backend: str | None = None,
    ) -> None:
        self.features = positive_int("BatchNorm", "features", features)
        self.momentum = real("BatchNorm", "momentum", momentum, at_least=0, at_most=1)
        self.eps = real("BatchNorm", "eps", eps, above=0)
        self.unbiased_running_variance = bool(unbiased_running_variance)
        self.backend = dispatch.check_backend(backend)
        dtype = check_dtype("BatchNorm", dtype)
        self.weight = Parameter(np.ones(self.features, dtype), decay=False)
        self.bias = Parameter(np.zeros(self.features, dtype), decay=False)
        self.running_mean = np.zeros(self.features, dtype)
        self.running_var = np.ones(self.features, dtype)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        check_array("BatchNorm", x, channels_last(np.ndim(x), self.features), self.weight.data.dtype)
        rows = x.reshape(-1, self.features)
        if training:
            if len(rows) == 1:
                raise ValueError(
                    f"BatchNorm: training needs more than one number a channel, got shape {x.shape}; "
                    "use a larger batch"
                )
            mean, var = dispatch.batchnorm_statistics(rows, self.backend)
            self.update_running(mean, var, len(rows))
        else:
            mean, var = self.running_mean.astype(np.float64), self.running_var.astype(np.float64)
        inv_std = 1 / np.sqrt(var + self.eps)
        y = dispatch.batchnorm_normalize(
            rows, mean, inv_std, self.weight.data, self.bias.data, self.backend
        ).reshape(x.shape)
        self.remember(x, mean, inv_std, training, when=training if record is None else record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        x, mean, inv_std, batch_statistics = self.recall()
        check_array("BatchNorm.backward", dy, x.shape, x.dtype)
        rows, dy_rows = x.reshape(-1, self.features), dy.reshape(-1, self.features)
        dgamma, dbeta = dispatch.batchnorm_sums(dy_rows, rows, mean, inv_std, self.backend)
        self.weight.accumulate(dgamma.astype(x.dtype))
        self.bias.accumulate(dbeta.astype(x.dtype))
        if not batch_statistics:
            return dy * (self.weight.data * inv_std).astype(x.dtype)
        return dispatch.batchnorm_input_gradient(
            dy_rows, rows, mean, inv_std, self.weight.data, dgamma, dbeta, self.backend
        ).reshape(x.shape)

    def update_running(self, mean: np.ndarray, var: np.ndarray, count: int) -> None:
        """Move the running statistics towards a mean and biased variance (C,) of ``count`` numbers each."""
        if self.unbiased_running_variance:
            var = var * (count / (count - 1))
        for running, batch in ((self.running_mean, mean), (self.running_var, var)):
            running[...] = (1 - self.momentum) * running + self.momentum * batch

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        check_shape("BatchNorm", input_shape, channels_last(len(input_shape), self.features))
        return input_shape

    def describe(self) -> str:
        return str(self.features)
