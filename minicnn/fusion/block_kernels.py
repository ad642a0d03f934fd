"""A block by its kernels: one pass for the convolution and its statistics, one for all that follows.

Numba loads when a kernel is first used, not with this file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minicnn.fusion.arena import Arena
from minicnn.kernels.runtime.aligned import empty
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.shapes import ConvGeometry, Shape4


class Recorded(NamedTuple):
    """What backward needs: the input, z and the constants that normalise it, and the pool's argmax."""

    x: np.ndarray
    z: np.ndarray
    argmax: np.ndarray | None
    constants: Any
    geometry: ConvGeometry
    y_shape: Shape4


class PreparedWeights:
    """A convolution's weights in the form that its algorithm needs, prepared again when they have changed."""

    def __init__(self) -> None:
        # The fingerprint of the weights with the algorithm's name, and the prepared weights.
        self._prepared: tuple[Any, Any] | None = None

    def get(self, w: np.ndarray, geometry: ConvGeometry, images: int) -> Any:
        """The prepared weights for so many images; None where the algorithm takes w as it is."""
        from minicnn.kernels.simd.fingerprint import fingerprint

        name = _algorithms().choose(geometry, w.dtype, images).name
        if name not in _algorithms().PREPARING:
            return None
        key, prepared = (fingerprint(w), name), self._prepared
        if prepared is None or prepared[0] != key:
            # One assignment: of threads that predict together each may prepare, and any result may stay.
            prepared = self._prepared = (key, _algorithms().prepare(name, w))
        return prepared[1]

    def clear(self) -> None:
        """Free the memory, in training, where weights change with every step."""
        self._prepared = None


class BlockForward:
    """The forward passes of a block.

    z = convolution of x, max(z, 0) with ``relu_before``; y = normalised z, rectified with ``relu`` and halved
    by a 2x2 max pool with ``pooled``.

    z, and what passes between two blocks, are arrays of the ``arena``. With ``input_from_block`` x is such an
    array; then backward writes dx over it after its last use. With ``output_to_block`` y and dy are.
    """

    def __init__(
        self, convolution: Conv2D, norm: BatchNorm, *, relu_before: bool, relu: bool, pooled: bool
    ) -> None:
        self.convolution, self.norm = convolution, norm
        self.relu_before, self.relu, self.pooled = relu_before, relu, pooled
        self.arena = Arena()
        self.input_from_block = self.output_to_block = False
        self._prepared_weights = PreparedWeights()

    def apply_to(self, z_shape: Shape4, dtype: np.dtype) -> bool:
        """Whether the kernels compute a z of this shape and dtype."""
        n, height, width, channels = z_shape
        if n * height * width < 2 or (self.pooled and min(height, width) < 2):
            return False

        from minicnn.kernels.fused import batchnorm_relu_pool

        return batchnorm_relu_pool.applies(channels, dtype)

    def train(self, x: np.ndarray, geometry: ConvGeometry, record: bool) -> tuple[np.ndarray, Recorded]:
        """y with the statistics of the batch, towards which the running ones move.

        What is returned beside y holds only with ``record``; without, z is in the arena again.
        """
        from minicnn.kernels.fused import batchnorm_relu_pool
        from minicnn.kernels.fused.consumers import Moments

        self._prepared_weights.clear()
        z_shape = geometry.y_shape(len(x))
        z, moments = self.arena.acquire(z_shape, x.dtype), Moments(z_shape[3], x.dtype)
        _algorithms().conv2d_rows(
            x, *self._weights(), geometry, relu=self.relu_before, out=z, consumer=moments
        )
        mean, var = moments.statistics()
        self.norm.update_running(mean, var, z.size // z_shape[3])
        constants, y_shape = self._constants(mean, var), self._pooled_shape(z_shape)
        out = self.arena.acquire(y_shape, x.dtype) if record and self.output_to_block else None
        y, argmax = batchnorm_relu_pool.forward(z, constants, self.relu, self.pooled, out)
        if not record:
            self.arena.release(z)
        return y, Recorded(x, z, argmax, constants, geometry, y_shape)

    def infer(self, x: np.ndarray, geometry: ConvGeometry) -> np.ndarray:
        """y with the running statistics; z never exists as a whole."""
        from minicnn.kernels.fused.consumers import Normalizer

        norm, z_shape = self.norm, geometry.y_shape(len(x))
        constants = self._constants(norm.running_mean.astype(np.float64), norm.running_var.astype(np.float64))
        y = empty(self._pooled_shape(z_shape), x.dtype)
        _algorithms().conv2d_rows(
            x,
            *self._weights(),
            geometry,
            relu=self.relu_before,
            prepared=self._prepared_weights.get(self.convolution.weight.data, geometry, len(x)),
            consumer=Normalizer(z_shape, y, constants, self.relu, self.pooled),
        )
        return y

    def _weights(self) -> tuple[np.ndarray, np.ndarray | None]:
        layer = self.convolution
        return layer.weight.data, None if layer.bias is None else layer.bias.data

    def _constants(self, mean: np.ndarray, var: np.ndarray) -> Any:
        from minicnn.kernels.fused.records import Normalization

        norm = self.norm
        inv_std = 1 / np.sqrt(var + norm.eps)
        return Normalization(mean, inv_std, norm.weight.data.copy(), norm.bias.data.copy())

    def _pooled_shape(self, z_shape: Shape4) -> Shape4:
        n, height, width, channels = z_shape
        return (n, height // 2, width // 2, channels) if self.pooled else z_shape


class BlockKernels(BlockForward):
    """The backward pass of a block, beside the forward passes of its base."""

    def backward(self, dy: np.ndarray, recorded: Recorded) -> np.ndarray:
        """dx; accumulates the gradients of all parameters."""
        dz = self._parameters_backward(dy, recorded)
        x = recorded.x
        dx = _algorithms().conv2d_backward_input(
            dz,
            self.convolution.weight.data,
            recorded.geometry,
            # The weights' gradient, which is done, was the last to read x.
            out=x if self.input_from_block and self.arena.owns(x) else None,
        )
        self._release(dy, dz)
        if dx is not x:
            self._release_input(x)
        return dx

    def backward_parameters(self, dy: np.ndarray, recorded: Recorded) -> None:
        """``backward`` without the gradient of the input."""
        self._release(dy, self._parameters_backward(dy, recorded))
        self._release_input(recorded.x)

    def _parameters_backward(self, dy: np.ndarray, recorded: Recorded) -> np.ndarray:
        """Accumulate the gradients of all parameters; returns dz."""
        from minicnn.kernels.fused import batchnorm_relu_pool

        (x, z), (layer, norm) = recorded[:2], (self.convolution, self.norm)
        target = z if batchnorm_relu_pool.can_replace(z.shape[3]) else self.arena.acquire(z.shape, z.dtype)
        gradients = batchnorm_relu_pool.backward(
            dy, z, recorded.argmax, recorded.constants, self.relu, self.relu_before, target
        )
        norm.weight.accumulate(gradients.dgamma.astype(x.dtype))
        norm.bias.accumulate(gradients.dbeta.astype(x.dtype))
        if layer.bias is not None:
            layer.bias.accumulate(gradients.bias.astype(x.dtype))
        if layer.weight.trainable:
            dw = _algorithms().conv2d_backward_weight(gradients.dz, x, recorded.geometry)
            layer.weight.accumulate(dw)
        if target is not z:
            self.arena.release(z)
        return gradients.dz

    def _release(self, dy: np.ndarray, dz: np.ndarray) -> None:
        self.arena.release(dz)
        if self.output_to_block:
            self.arena.release(dy)

    def _release_input(self, x: np.ndarray) -> None:
        if self.input_from_block:
            self.arena.release(x)


def _algorithms() -> Any:
    from minicnn.kernels import algorithms

    return algorithms
