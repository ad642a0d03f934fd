"""A minicnn model as a PyTorch module with the same weights.

minicnn stores images as (N, H, W, C) and kernels as (kh, kw, C, O), PyTorch as (N, C, H, W) and
(O, C, kh, kw). After Flatten the features are in the order h, w, c in minicnn and c, h, w in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.torch_modules import Branches, GlobalAverage, GlobalMaximum
from minicnn.argument_checks import Pair
from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layer import Layer
from minicnn.layers.activation import LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten, Identity
from minicnn.shapes import Pads

Shape = tuple[int, ...]
Reorder = Callable[[np.ndarray], np.ndarray]


class Conversion:
    """``module``: the PyTorch module, for inputs of ``input_shape`` (N, H, W, C) or (N, features)."""

    def __init__(self, model: Layer, input_shape: Shape) -> None:
        self._parameters: dict[str, tuple[torch.Tensor, Reorder]] = {}
        self.flattened: tuple[int, int, int] | None = None
        """(h, w, c) of the image that was flattened, until the Dense that reads it is converted."""
        self.module: Any = convert(model, "", input_shape, self)

    def gradients(self) -> dict[str, np.ndarray]:
        """The module's gradients with minicnn's names, shapes and order of features."""
        return {
            name: to_ours(parameter.grad.detach().numpy())
            for name, (parameter, to_ours) in self._parameters.items()
            if parameter.grad is not None
        }

    def copy(
        self,
        name: str,
        theirs: torch.Tensor,
        ours: np.ndarray,
        to_theirs: Reorder = lambda a: a,
        to_ours: Reorder = lambda a: a,
    ) -> None:
        """Copy minicnn's parameter into PyTorch's, and record the pair; the functions reorder its axes."""
        with torch.no_grad():
            theirs.copy_(torch.from_numpy(np.ascontiguousarray(to_theirs(ours))))
        self._parameters[name.lstrip(".")] = theirs, to_ours


def convert(layer: Layer, name: str, shape: Shape, conversion: Conversion) -> nn.Module:
    """The module for the layer ``name``, for inputs of ``shape``. TypeError if none exists."""
    for kinds, converter in CONVERTERS:
        if isinstance(layer, kinds):
            return converter(layer, name, shape, conversion)
    raise TypeError(f"there is no PyTorch counterpart for {layer!r} in benchmarks/convert.py")


def _sequential(layer: Sequential, name: str, shape: Shape, conversion: Conversion) -> nn.Module:
    modules: list[nn.Module] = []
    before: Layer | None = None
    for key, child in layer.children().items():
        module = convert(child, f"{name}.{key}" if name else key, shape, conversion)
        # As an experienced user writes it: a ReLU overwrites its input if no other layer reads that.
        if isinstance(module, nn.ReLU) and isinstance(before, (Conv2D, Dense, BatchNorm, Residual)):
            module.inplace = True
        shape, before = child.output_shape(shape), child
        modules.append(module)
    return nn.Sequential(*modules)


def _parallel(layer: Parallel, name: str, shape: Shape, conversion: Conversion) -> nn.Module:
    modules = [
        convert(child, f"{name}.{key}" if name else key, shape, conversion)
        for key, child in layer.children().items()
    ]
    return Branches(modules, layer.merge)


def _conv(layer: Conv2D, name: str, shape: Shape, conversion: Conversion) -> nn.Module:
    padding, before = _padding(layer.geometry(shape).padding)
    conv = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        stride=layer.stride,
        padding=padding,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias is not None,
        dtype=_dtype(layer.weight.data),
    )
    conversion.copy(
        f"{name}.weight",
        conv.weight,
        layer.weight.data,
        lambda w: w.transpose(3, 2, 0, 1),
        lambda g: g.transpose(2, 3, 1, 0),
    )
    if layer.bias is not None and conv.bias is not None:
        conversion.copy(f"{name}.bias", conv.bias, layer.bias.data)
    return nn.Sequential(nn.ZeroPad2d(before), conv) if before else conv


def _dense(layer: Dense, name: str, shape: Shape, conversion: Conversion) -> nn.Module:
    inputs, outputs = layer.weight.data.shape
    dense = nn.Linear(inputs, outputs, bias=layer.bias is not None, dtype=_dtype(layer.weight.data))
    if conversion.flattened is None:
        conversion.copy(f"{name}.weight", dense.weight, layer.weight.data, np.transpose, np.transpose)
    else:
        h, w, c = conversion.flattened
        conversion.flattened = None
        conversion.copy(
            f"{name}.weight",
            dense.weight,
            layer.weight.data,
            lambda a: a.reshape(h, w, c, outputs).transpose(3, 2, 0, 1).reshape(outputs, inputs),
            lambda g: g.reshape(outputs, c, h, w).transpose(2, 3, 1, 0).reshape(inputs, outputs),
        )
    if layer.bias is not None:
        conversion.copy(f"{name}.bias", dense.bias, layer.bias.data)
    return dense


def _norm(layer: BatchNorm, name: str, shape: Shape, conversion: Conversion) -> nn.Module:
    if conversion.flattened is not None:
        raise TypeError("BatchNorm between Flatten and Dense has no counterpart in benchmarks/convert.py")
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    dtype = _dtype(layer.weight.data)
    norm = kind(layer.features, eps=layer.eps, momentum=layer.momentum, dtype=dtype)
    conversion.copy(f"{name}.weight", norm.weight, layer.weight.data)
    conversion.copy(f"{name}.bias", norm.bias, layer.bias.data)
    for buffer in layer.buffers:
        getattr(norm, buffer).copy_(torch.from_numpy(getattr(layer, buffer)))
    return norm


def _pool(layer: MaxPool2D | AveragePool2D, name: str, shape: Shape, conversion: Conversion) -> nn.Module:
    padding, before = _padding(layer.geometry(shape).padding)
    if before:
        raise TypeError(f"{layer!r} pads one side more than the other, which PyTorch's pooling cannot")
    if isinstance(layer, MaxPool2D):
        return nn.MaxPool2d(layer.size, layer.stride, padding)
    return nn.AvgPool2d(layer.size, layer.stride, padding, count_include_pad=False)


def _flatten(layer: Flatten, name: str, shape: Shape, conversion: Conversion) -> nn.Module:
    if len(shape) == 4:
        conversion.flattened = (shape[1], shape[2], shape[3])
    return nn.Flatten()


def _without_weights(module: Callable[[Any], nn.Module]) -> Callable[..., nn.Module]:
    """A converter that needs the layer alone."""
    return lambda layer, name, shape, conversion: module(layer)


CONVERTERS: list[tuple[type[Layer] | tuple[type[Layer], ...], Callable[..., nn.Module]]] = [
    (Sequential, _sequential),
    (Parallel, _parallel),
    (Conv2D, _conv),
    (Dense, _dense),
    (BatchNorm, _norm),
    ((MaxPool2D, AveragePool2D), _pool),
    (Flatten, _flatten),
    (Identity, _without_weights(lambda layer: nn.Identity())),
    (ReLU, _without_weights(lambda layer: nn.ReLU())),
    (LeakyReLU, _without_weights(lambda layer: nn.LeakyReLU(layer.negative_slope))),
    (SiLU, _without_weights(lambda layer: nn.SiLU())),
    (Sigmoid, _without_weights(lambda layer: nn.Sigmoid())),
    (Tanh, _without_weights(lambda layer: nn.Tanh())),
    (Softmax, _without_weights(lambda layer: nn.Softmax(dim=1))),
    (Dropout, _without_weights(lambda layer: nn.Dropout(layer.rate))),
    (GlobalAveragePool2D, _without_weights(lambda layer: GlobalAverage(layer.keepdims))),
    (GlobalMaxPool2D, _without_weights(lambda layer: GlobalMaximum(layer.keepdims))),
]


def _dtype(array: np.ndarray) -> torch.dtype:
    return torch.from_numpy(array).dtype


def _padding(pads: Pads) -> tuple[Pair, tuple[int, int, int, int] | None]:
    """PyTorch's padding, and the arguments of a ZeroPad2d in front if the two sides differ."""
    (top, bottom), (left, right) = pads
    if (top, left) == (bottom, right):
        return (top, left), None
    return (0, 0), (left, right, top, bottom)
