"""Convolution, batch normalisation, ReLU and max pooling in a row as one layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minicnn.argument_checks import check_array
from minicnn.fusion.block_kernels import BlockKernels
from minicnn.kernels import dispatch
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import MaxPool2D
from minicnn.shapes import Shape4


class Block(Layer):
    """Conv2D and BatchNorm, with the ReLU and the 2x2 max pool that belong to them, computed together.

    ``members`` are the layers in their order. The block computes layer by layer where its kernels do not
    apply, and where a recorded pass has fixed statistics; what layers refuse is refused with their errors.
    """

    def __init__(self, members: Sequence[Layer]) -> None:
        kinds = [type(layer) for layer in members]
        convolution = members[0]
        norm = next((layer for layer in members if isinstance(layer, BatchNorm)), None)
        if not isinstance(convolution, Conv2D) or norm is None:
            raise TypeError(f"Block: expected a Conv2D first and a BatchNorm, got {list(members)}")
        self.members, self.convolution, self.norm = list(members), convolution, norm
        self.kernels = BlockKernels(
            convolution,
            norm,
            relu_before=kinds[1] is ReLU,
            relu=ReLU in kinds[kinds.index(BatchNorm) :],
            pooled=kinds[-1] is MaxPool2D,
        )

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        record = training if record is None else record
        layer = self.convolution
        check_array("Conv2D", x, ("N", "H", "W", layer.in_channels), layer.weight.data.dtype)
        geometry = layer.geometry(x.shape)
        if (record and not training) or not self._applies(geometry.y_shape(len(x))):
            for member in self.members:
                x = member.forward(x, training=training, record=record)
            self.remember(None, when=record)
            return x
        if not training:
            return self.kernels.infer(x, geometry)
        y, recorded = self.kernels.train(x, geometry, record)
        self.remember(recorded, when=record)
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (recorded,) = self.recall()
        if recorded is None:
            for layer in reversed(self.members):
                dy = layer.backward(dy)
            return dy
        self._check_gradient(dy, recorded.y_shape)
        return self.kernels.backward(dy, recorded)

    def backward_parameters(self, dy: np.ndarray) -> None:
        (recorded,) = self.recall()
        if recorded is None:
            for layer in reversed(self.members[1:]):
                dy = layer.backward(dy)
            self.members[0].backward_parameters(dy)
        else:
            self._check_gradient(dy, recorded.y_shape)
            self.kernels.backward_parameters(dy, recorded)

    def applies_to(self, input_shape: tuple[int, ...]) -> bool:
        """Whether an x of this shape (N, H, W, C) is computed by the fused kernels."""
        return self._applies(self.convolution.geometry(input_shape).y_shape(input_shape[0]))

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        for layer in self.members:
            input_shape = layer.output_shape(input_shape)
        return input_shape

    def _applies(self, z_shape: Shape4) -> bool:
        """Whether the kernels can do it, so that no member would raise an error."""
        backends = {dispatch.current_backend(getattr(layer, "backend", None)) for layer in self.members}
        if backends != {"numba"} or z_shape[3] != self.norm.features:
            return False
        dtypes = {p.data.dtype for layer in self.members for p in layer.parameters().values()}
        return len(dtypes) == 1 and self.kernels.apply_to(z_shape, dtypes.pop())

    def _check_gradient(self, dy: np.ndarray, y_shape: Shape4) -> None:
        name = f"{type(self.members[-1]).__name__}.backward"
        check_array(name, dy, y_shape, self.convolution.weight.data.dtype)
