"""The modules that PyTorch has no name for, importable without minicnn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class GlobalAverage(nn.Module):
    """(N, C, H, W) -> (N, C), or (N, C, 1, 1) with ``keepdims``."""

    def __init__(self, keepdims: bool = False) -> None:
        super().__init__()
        self.keepdims = keepdims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3), keepdim=self.keepdims)


class GlobalMaximum(nn.Module):
    """(N, C, H, W) -> (N, C), or (N, C, 1, 1) with ``keepdims``; one winner takes the gradient."""

    def __init__(self, keepdims: bool = False) -> None:
        super().__init__()
        self.keepdims = keepdims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.adaptive_max_pool2d(x, 1)
        return y if self.keepdims else y.flatten(1)


class Branches(nn.Module):
    """Branches that read the same input, merged as ``minicnn.containers.Parallel`` merges them."""

    def __init__(self, branches: Sequence[nn.Module], merge: str) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.merge = merge

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = [branch(x) for branch in self.branches]
        if self.merge == "concat":
            return torch.cat(outputs, dim=1)
        y = outputs[0]
        for other in outputs[1:]:
            y = y + other if self.merge == "sum" else y * other
        return y
