"""Modules that PyTorch does not have; importing them does not import minicnn."""

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
        """The mean over H and W."""
        return x.mean((2, 3), keepdim=self.keepdims)


class GlobalMaximum(nn.Module):
    """(N, C, H, W) -> (N, C), or (N, C, 1, 1) with ``keepdims``; the gradient goes to one maximum."""

    def __init__(self, keepdims: bool = False) -> None:
        super().__init__()
        self.keepdims = keepdims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The maximum over H and W."""
        y = nn.functional.adaptive_max_pool2d(x, 1)
        return y if self.keepdims else y.flatten(1)


class Branches(nn.Module):
    """Branches with the same input, merged as in ``minicnn.containers.Parallel``."""

    def __init__(self, branches: Sequence[nn.Module], merge: str) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.merge = merge

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The merged outputs of the branches."""
        outputs = [branch(x) for branch in self.branches]
        if self.merge == "concat":
            return torch.cat(outputs, dim=1)
        y = outputs[0]
        for other in outputs[1:]:
            y = y + other if self.merge == "sum" else y * other
        return y
