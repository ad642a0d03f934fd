"""A minicnn model as a PyTorch module with the same weights.

minicnn keeps images as (N, H, W, C) and kernels as (kh, kw, C, O), PyTorch as (N, C, H, W) and
(O, C, kh, kw); and behind Flatten the features stand row by row here, channel by channel there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.torch_modules import Branches, GlobalAverage, GlobalMaximum
from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layer import Layer
from minicnn.layers.activation import (
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from minicnn.layers.reshape import Flatten, Identity
from minicnn.shapes import Pads, Pair

Shape = tuple[int, ...]
Back = Callable[[np.ndarray], np.ndarray]


class Conversion:
    """``module``: the PyTorch module. ``gradients()``: its gradients by our names and in our shapes."""

    def __init__(self, model: Layer, input_shape: Shape) -> None:
        self._paired: dict[str, tuple[torch.Tensor, Back]] = {}
        self._flattened: tuple[int, int, int] | None = None
        self.module: Any = self._convert(model, "", input_shape)

    def gradients(self) -> dict[str, np.ndarray]:
        return {
            name: back(parameter.grad.detach().numpy())
            for name, (parameter, back) in self._paired.items()
            if parameter.grad is not None
        }

    def _convert(self, layer: Layer, name: str, shape: Shape) -> nn.Module:
        if isinstance(layer, (Sequential, Parallel)):
            return self._container(layer, name, shape)
        if isinstance(layer, Conv2D):
            return self._conv(layer, name, shape)
        if isinstance(layer, Dense):
            return self._dense(layer, name)
        if isinstance(layer, BatchNorm):
            return self._norm(layer, name, shape)
        if isinstance(layer, (MaxPool2D, AveragePool2D)):
            return _pool(layer, shape)
        if isinstance(layer, Flatten):
            if len(shape) == 4:
                self._flattened = (shape[1], shape[2], shape[3])
            return nn.Flatten()
        simple: dict[type[Layer], Callable[[Any], nn.Module]] = {
            Identity: lambda _: nn.Identity(),
            ReLU: lambda _: nn.ReLU(),
            LeakyReLU: lambda this: nn.LeakyReLU(this.negative_slope),
            SiLU: lambda _: nn.SiLU(),
            Sigmoid: lambda _: nn.Sigmoid(),
            Tanh: lambda _: nn.Tanh(),
            Softmax: lambda _: nn.Softmax(dim=1),
            Dropout: lambda this: nn.Dropout(this.rate),
            GlobalAveragePool2D: lambda this: GlobalAverage(this.keepdims),
            GlobalMaxPool2D: lambda this: GlobalMaximum(this.keepdims),
        }
        if type(layer) not in simple:
            raise TypeError(f"there is no PyTorch counterpart for {layer!r} in benchmarks/convert.py")
        return simple[type(layer)](layer)

    def _container(self, layer: Sequential | Parallel, name: str, shape: Shape) -> nn.Module:
        modules: list[nn.Module] = []
        before: Layer | None = None
        for key, child in layer.children().items():
            module = self._convert(child, f"{name}.{key}" if name else key, shape)
            if isinstance(layer, Sequential):
                # As a seasoned user writes it: no second array for a ReLU whose input nobody else reads.
                if isinstance(module, nn.ReLU) and isinstance(before, (Conv2D, Dense, BatchNorm, Residual)):
                    module.inplace = True
                shape, before = child.output_shape(shape), child
            modules.append(module)
        return Branches(modules, layer.merge) if isinstance(layer, Parallel) else nn.Sequential(*modules)

    def _conv(self, layer: Conv2D, name: str, shape: Shape) -> nn.Module:
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
        self._pair(
            f"{name}.weight",
            conv.weight,
            layer.weight.data,
            lambda w: w.transpose(3, 2, 0, 1),
            lambda g: g.transpose(2, 3, 1, 0),
        )
        if layer.bias is not None and conv.bias is not None:
            self._pair(f"{name}.bias", conv.bias, layer.bias.data)
        return nn.Sequential(nn.ZeroPad2d(before), conv) if before else conv

    def _dense(self, layer: Dense, name: str) -> nn.Module:
        inputs, outputs = layer.weight.data.shape
        dense = nn.Linear(inputs, outputs, bias=layer.bias is not None, dtype=_dtype(layer.weight.data))
        forth: Back = np.transpose
        back: Back = np.transpose
        if self._flattened is not None:
            (h, w, c), self._flattened = self._flattened, None

            def forth(weight: np.ndarray) -> np.ndarray:
                return weight.reshape(h, w, c, outputs).transpose(3, 2, 0, 1).reshape(outputs, inputs)

            def back(gradient: np.ndarray) -> np.ndarray:
                return gradient.reshape(outputs, c, h, w).transpose(2, 3, 1, 0).reshape(inputs, outputs)

        self._pair(f"{name}.weight", dense.weight, layer.weight.data, forth, back)
        if layer.bias is not None:
            self._pair(f"{name}.bias", dense.bias, layer.bias.data)
        return dense

    def _norm(self, layer: BatchNorm, name: str, shape: Shape) -> nn.Module:
        if self._flattened is not None:
            raise TypeError("BatchNorm between Flatten and Dense has no counterpart in benchmarks/convert.py")
        kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
        dtype = _dtype(layer.weight.data)
        norm = kind(layer.features, eps=layer.eps, momentum=layer.momentum, dtype=dtype)
        self._pair(f"{name}.weight", norm.weight, layer.weight.data)
        self._pair(f"{name}.bias", norm.bias, layer.bias.data)
        for buffer in layer.buffers:
            getattr(norm, buffer).copy_(torch.from_numpy(getattr(layer, buffer)))
        return norm

    def _pair(
        self,
        name: str,
        theirs: torch.Tensor,
        ours: np.ndarray,
        forth: Back = lambda a: a,
        back: Back = lambda a: a,
    ) -> None:
        with torch.no_grad():
            theirs.copy_(torch.from_numpy(np.ascontiguousarray(forth(ours))))
        self._paired[name.lstrip(".")] = theirs, back


def _dtype(array: np.ndarray) -> torch.dtype:
    return torch.from_numpy(array).dtype


def _padding(pads: Pads) -> tuple[Pair, tuple[int, int, int, int] | None]:
    """PyTorch's padding, and the arguments of a ZeroPad2d in front where the two sides differ."""
    (top, bottom), (left, right) = pads
    if (top, left) == (bottom, right):
        return (top, left), None
    return (0, 0), (left, right, top, bottom)


def _pool(layer: MaxPool2D | AveragePool2D, shape: Shape) -> nn.Module:
    padding, before = _padding(layer.geometry(shape).padding)
    if before:
        raise TypeError(f"{layer!r} pads one side more than the other, which PyTorch's pooling cannot")
    if isinstance(layer, MaxPool2D):
        return nn.MaxPool2d(layer.size, layer.stride, padding)
    return nn.AvgPool2d(layer.size, layer.stride, padding, count_include_pad=False)
