"""The same network with fewer passes over memory.

``fuse(model)`` looks for convolution, batch normalisation, ReLU and 2x2 max pooling in a row, as in

    Conv2D -> BatchNorm -> ReLU -> MaxPool2D(2)           (ReLU and the pool may be missing,
    Conv2D -> ReLU -> BatchNorm -> MaxPool2D(2)            ReLU may stand on either side)

and computes each such block with the kernels of ``kernels/fused``, which keep one array where the layers
one by one keep three or four. What it returns has the very layers of ``model``: parameters, running
statistics and random generators are shared, names are the same, and either of the two may be trained, saved
or used at any time. The numbers differ by rounding only. ``Trainer`` fuses the model it is given; ``summary``
shows the blocks.

Within a training step, arrays that backward has consumed are used again for the next ones (``Arena``): an
array fresh from the operating system costs a page fault every few kilobytes. Nothing that a caller receives
is ever used again, and a forward pass that neither trains nor records shares nothing between threads.

A block computes layer by layer wherever the kernels do not apply: another backend, float64, fewer channels
than a vector has lanes, or a recorded pass with fixed statistics. ``MINICNN_FUSION=off`` switches all off.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from minicnn.containers import Container, Sequential
from minicnn.fusion.arena import Arena
from minicnn.kernels import dispatch
from minicnn.kernels.runtime.aligned import empty
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import MaxPool2D
from minicnn.shapes import ConvGeometry, check_array

SWITCH = "MINICNN_FUSION"


def enabled() -> bool:
    """Whether ``MINICNN_FUSION`` allows it. Raises ValueError where that is neither "on" nor "off"."""
    switch = os.environ.get(SWITCH) or "on"
    if switch not in ("on", "off"):
        raise ValueError(f'the environment variable {SWITCH} must be "on" or "off", got {switch!r}')
    return switch == "on"


def fuse(model: Layer) -> Layer:
    """The model with its blocks fused; the layers are shared, ``model`` itself stays as it is.

    Returns ``model`` where there is nothing to fuse, or ``MINICNN_FUSION`` is off.
    Raises ValueError where that variable is neither "on" nor "off".
    """
    return _fuse(model) if enabled() else model


def steps_of(layer: Layer) -> list[Layer]:
    """What a chain computes one after the other, in order: layers and ``Block``s.

    Those of chains within it stand in their place; branches stay whole. A layer that is no chain is one step.
    """
    if not isinstance(layer, Sequential):
        return [layer]
    inside = layer.steps if isinstance(layer, FusedSequential) else layer.children().values()
    return [step for child in inside for step in steps_of(child)]


def blocks_of(model: Layer) -> list[Block]:
    """All blocks of ``fuse(model)``, in forward order."""
    found: list[Block] = []
    for step in steps_of(fuse(model)):
        if isinstance(step, Block):
            found.append(step)
        else:
            found += [block for child in step.children().values() for block in blocks_of(child)]
    return found


def _fuse(layer: Layer) -> Layer:
    if not isinstance(layer, Container):
        return layer
    members = {name: _fuse(child) for name, child in layer.children().items()}
    if type(layer) is Sequential:
        steps = _group(list(members.values()))
        if any(isinstance(step, Block) for step in steps):
            return FusedSequential(members, steps)
    if all(fused is child for fused, child in zip(members.values(), layer.children().values(), strict=True)):
        return layer
    twin = copy.copy(layer)
    twin._members = members
    twin._recorded = None
    return twin


def _group(layers: Sequence[Layer]) -> list[Layer]:
    """The layers, with those that make a block put together."""
    steps: list[Layer] = []
    position = 0
    while position < len(layers):
        block = _block_at(layers, position)
        steps.append(block or layers[position])
        position += len(block.members) if block else 1
    return steps


def _block_at(layers: Sequence[Layer], start: int) -> Block | None:
    kinds = [type(layer) for layer in layers[start : start + 4]]
    if kinds[:2] == [Conv2D, BatchNorm]:
        size = 3 if kinds[2:3] == [ReLU] else 2
    elif kinds[:3] == [Conv2D, ReLU, BatchNorm]:
        size = 3
    else:
        return None
    if size < len(kinds) and _halves(layers[start + size]):
        size += 1
    return Block(layers[start : start + size])


def _halves(layer: Layer) -> bool:
    """Whether this is the plain 2x2 max pool."""
    return type(layer) is MaxPool2D and (layer.size, layer.stride, layer.padding) == ((2, 2), (2, 2), "valid")


class Block(Layer):
    """Conv2D, BatchNorm and what belongs to them, computed together.

    Forward, training: z = convolution of x; its mean and variance; y = pooled, rectified normalisation of z.
    Backward: dz from dy, z and the winners of the pool, in place of z; then the convolution's gradients.

    Between two blocks y and dy are the arena's, and dy takes y's place: the later block writes it over its
    input when that has been read, the earlier one gives it back.
    """

    def __init__(self, members: Sequence[Layer]) -> None:
        kinds = [type(layer) for layer in members]
        convolution, norm = members[0], members[kinds.index(BatchNorm)]
        if not isinstance(convolution, Conv2D) or not isinstance(norm, BatchNorm):
            raise TypeError(f"Block: expected a Conv2D first and a BatchNorm, got {list(members)}")
        self.members = list(members)
        self.convolution, self.norm = convolution, norm
        self.relu_before = kinds[1] is ReLU
        self.relu = ReLU in kinds[kinds.index(BatchNorm) :]
        self.pooled = kinds[-1] is MaxPool2D
        self.arena = Arena()
        self.after_a_block = self.before_a_block = False
        # The weights as the convolution wants them, and the fingerprint of those they were made from.
        self._prepared: tuple[Any, Any] | None = None

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        record = training if record is None else record
        geometry = self._geometry(x)
        z_shape = geometry.y_shape(len(x))
        if not self._applies(z_shape, fixed_statistics=record and not training):
            for layer in self.members:
                x = layer.forward(x, training=training, record=record)
            self.remember(None, when=record)
            return x

        y_shape = self._pooled_shape(z_shape)
        if not training:
            return self._infer(x, geometry, y_shape)

        from minicnn.kernels.fused import batchnorm_relu_pool
        from minicnn.kernels.fused.consumers import Moments

        norm = self.norm
        self._prepared = None
        z, moments = self.arena.take(z_shape, x.dtype), Moments(z_shape[3], x.dtype)
        _algorithms().conv2d_rows(
            x, *self._weights(), geometry, relu=self.relu_before, out=z, consumer=moments
        )
        mean, var = moments.statistics()
        norm._update_running(mean, var, z.size // z_shape[3])
        constants = self._constants(mean, var)
        out = self.arena.take(y_shape, x.dtype) if record and self.before_a_block else None
        y, winners = batchnorm_relu_pool.forward(z, constants, self.relu, self.pooled, out)
        self.remember((x, z, winners, constants, geometry, y_shape), when=record)
        if not record:
            self.arena.give(z)
        return y

    def _infer(self, x: np.ndarray, geometry: ConvGeometry, y_shape: tuple[int, ...]) -> np.ndarray:
        """y with the running statistics; z never exists as a whole."""
        from minicnn.kernels.fused.consumers import Normalizer

        norm = self.norm
        constants = self._constants(norm.running_mean.astype(np.float64), norm.running_var.astype(np.float64))
        y = empty(y_shape, x.dtype)
        normalizer = Normalizer(geometry.y_shape(len(x)), y, constants, self.relu, self.pooled)
        _algorithms().conv2d_rows(
            x,
            *self._weights(),
            geometry,
            relu=self.relu_before,
            prepared=self._prepare(x, geometry),
            consumer=normalizer,
        )
        return y

    def _prepare(self, x: np.ndarray, geometry: ConvGeometry) -> Any:
        """The prepared weights, from the last call where they have not changed; None if it needs none."""
        from minicnn.kernels.simd.fingerprint import fingerprint

        w, kept = self.convolution.weight.data, self._prepared
        name = _algorithms().choose(geometry, x.dtype, len(x)).name
        if name not in _algorithms().PREPARING:
            return None
        now = fingerprint(w), name
        if kept is None or kept[0] != now:
            # One assignment: threads that predict together may both prepare, and either may stay.
            kept = self._prepared = (now, _algorithms().prepare(name, w))
        return kept[1]

    def _weights(self) -> tuple[np.ndarray, np.ndarray | None]:
        layer = self.convolution
        return layer.weight.data, None if layer.bias is None else layer.bias.data

    def _constants(self, mean: np.ndarray, var: np.ndarray) -> Any:
        from minicnn.kernels.fused.records import Normalization

        norm = self.norm
        inv_std = 1 / np.sqrt(var + norm.eps)
        return Normalization(mean, inv_std, norm.weight.data.copy(), norm.bias.data.copy())

    def _pooled_shape(self, z_shape: tuple[int, ...]) -> tuple[int, ...]:
        n, height, width, channels = z_shape
        return (n, height // 2, width // 2, channels) if self.pooled else z_shape

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (kept,) = self.recall()
        if kept is None:
            for layer in reversed(self.members):
                dy = layer.backward(dy)
            return dy
        dz = self._parameters_backward(dy, kept)
        x, layer = kept[0], self.convolution
        dx = _algorithms().conv2d_backward_input(
            dz,
            layer.weight.data,
            kept[4],
            # x is read for the last time by the weights' gradient, which is done.
            out=x if self.after_a_block and self.arena.lends(x) else None,
        )
        self._give_back(dy, dz)
        if dx is not x:
            self._give_input_back(x)
        return dx

    def backward_parameters(self, dy: np.ndarray) -> None:
        """Backward without the gradient of the input, which nobody needs at the bottom of a network."""
        (kept,) = self.recall()
        if kept is None:
            for layer in reversed(self.members[1:]):
                dy = layer.backward(dy)
            self.members[0].backward_parameters(dy)
        else:
            self._give_back(dy, self._parameters_backward(dy, kept))
            self._give_input_back(kept[0])

    def _parameters_backward(self, dy: np.ndarray, kept: tuple[Any, ...]) -> np.ndarray:
        """Accumulate the gradients of all parameters; returns dz."""
        from minicnn.kernels.fused import batchnorm_relu_pool

        x, z, winners, constants, geometry, y_shape = kept
        layer, norm = self.convolution, self.norm
        check_array(f"{type(self.members[-1]).__name__}.backward", dy, y_shape, x.dtype)
        target = z if batchnorm_relu_pool.can_replace(z.shape[3]) else self.arena.take(z.shape, z.dtype)
        gradients = batchnorm_relu_pool.backward(
            dy, z, winners, constants, self.relu, self.relu_before, target
        )
        norm.weight.accumulate(gradients.dgamma.astype(x.dtype))
        norm.bias.accumulate(gradients.dbeta.astype(x.dtype))
        if layer.bias is not None:
            layer.bias.accumulate(gradients.bias.astype(x.dtype))
        if layer.weight.trainable:
            layer.weight.accumulate(_algorithms().conv2d_backward_weight(gradients.dz, x, geometry))
        if target is not z:
            self.arena.give(z)
        return gradients.dz

    def _give_back(self, dy: np.ndarray, dz: np.ndarray) -> None:
        self.arena.give(dz)
        if self.before_a_block:
            self.arena.give(dy)

    def _give_input_back(self, x: np.ndarray) -> None:
        if self.after_a_block:
            self.arena.give(x)

    def _geometry(self, x: np.ndarray) -> ConvGeometry:
        """How the convolution's filters lie on x."""
        layer = self.convolution
        check_array("Conv2D", x, ("N", "H", "W", layer.in_channels), layer.weight.data.dtype)
        return layer.geometry(x.shape)

    def applies_to(self, input_shape: tuple[int, ...]) -> bool:
        """Whether an x of this shape (N, H, W, C) is computed by the fused kernels."""
        z_shape = self.convolution.geometry(input_shape).y_shape(input_shape[0])
        return self._applies(z_shape, fixed_statistics=False)

    def _applies(self, z_shape: tuple[int, int, int, int], fixed_statistics: bool) -> bool:
        """Whether the kernels can do it, and the layers' own errors are not called for."""
        n, height, width, channels = z_shape
        backends = {dispatch.backend(getattr(layer, "backend", None)) for layer in self.members}
        if fixed_statistics or backends != {"numba"} or channels != self.norm.features:
            return False
        if n * height * width < 2 or (self.pooled and min(height, width) < 2):
            return False

        from minicnn.kernels.fused import batchnorm_relu_pool

        dtypes = {p.data.dtype for layer in self.members for p in layer.parameters().values()}
        return len(dtypes) == 1 and batchnorm_relu_pool.applies(channels, dtypes.pop())

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        for layer in self.members:
            input_shape = layer.output_shape(input_shape)
        return input_shape


class FusedSequential(Sequential):
    """A chain whose blocks are computed together. Its children are the layers, as if nothing were fused."""

    def __init__(self, members: dict[str, Layer], steps: Sequence[Layer]) -> None:
        super().__init__(members)
        self.steps = list(steps)
        self._arena = Arena()
        self._batch_shape: tuple[int, ...] | None = None
        for step, following in zip(self.steps, [*self.steps[1:], None], strict=True):
            if isinstance(step, Block):
                step.arena = self._arena
                if isinstance(following, Block):
                    step.before_a_block = following.after_a_block = True

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        if training and x.shape != self._batch_shape:
            self._arena.forget()
            self._batch_shape = x.shape
        for step in self.steps:
            x = step.forward(x, training=training, record=record)
        return x

    def backward(self, dy: np.ndarray) -> np.ndarray:
        for step in reversed(self.steps):
            dy = step.backward(dy)
        return dy

    def backward_parameters(self, dy: np.ndarray) -> None:
        for step in reversed(self.steps[1:]):
            dy = step.backward(dy)
        self.steps[0].backward_parameters(dy)


def _algorithms() -> Any:
    """Loaded at the first use: Numba takes its time."""
    from minicnn.kernels import algorithms

    return algorithms
