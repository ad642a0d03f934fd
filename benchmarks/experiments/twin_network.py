"""The network ``compact`` in PyTorch, with the variations that the ideas need."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.experiments.trial_settings import Settings
from poster_genre.genres import N_GENRES
from poster_genre.model.compact import INITIAL_BIAS


class Dropout(nn.Module):
    """Inverted dropout with a generator of its own, so that runs in parallel threads stay reproducible."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.seed = torch.initial_seed()
        self.generator: torch.Generator | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` itself outside of training."""
        if not self.training or self.rate == 0:
            return x
        if self.generator is None:
            self.generator = torch.Generator().manual_seed(self.seed)
        mask = torch.rand(x.shape, generator=self.generator) >= self.rate
        return x * mask / (1 - self.rate)


class SqueezeExcite(nn.Module):
    """Every channel times a gate from 0 to 1 that is computed from all channels' averages. Hu et al. 2018."""

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, max(channels // ratio, 4))
        self.excite = nn.Linear(self.squeeze.out_features, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> the same shape."""
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Block(nn.Module):
    """``poster_genre.model.compact._residual_block`` and the ReLU after it."""

    def __init__(self, channels: int, filters: int, squeeze: int, initial: str) -> None:
        super().__init__()
        conv, norm = convolution(filters, filters)
        nn.init.zeros_(norm.weight)
        body = [*convolution(channels, filters), nn.ReLU(), conv, norm]
        if squeeze:
            body.append(SqueezeExcite(filters, squeeze))
        self.body = nn.Sequential(*body)
        same = channels == filters
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(*convolution(channels, filters, 1, initial=initial))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) -> (N, filters, H, W)."""
        return F.relu(self.body(x) + self.shortcut(x))


class Compact(nn.Module):
    """NCHW images in the channels-last memory format -> logits (N, 25)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        channels, initial = settings.stem or settings.widths[0], settings.initial
        layers: list[nn.Module] = [
            *convolution(3, channels, settings.stem_size, settings.stem_stride, initial),
            nn.ReLU(),
        ]
        side = math.ceil(min(settings.height, settings.width) / settings.stem_stride)
        for stage, (filters, count) in enumerate(zip(settings.widths, settings.blocks, strict=True)):
            if stage and side >= 4:
                layers.append(nn.MaxPool2d(2))
                side //= 2
            for _ in range(count):
                layers.append(Block(channels, filters, settings.squeeze, initial))
                channels = filters
        if settings.last:
            layers += [
                nn.MaxPool2d(2),
                *convolution(channels, settings.last, initial=initial),
                nn.ReLU(),
            ]
            channels = settings.last
        self.features = nn.Sequential(*layers)
        self.head = settings.head
        self.dropout = Dropout(settings.dropout)
        self.genres = nn.Linear(channels * (2 if settings.head == "both" else 1), N_GENRES)
        nn.init.normal_(self.genres.weight, std=0.01)
        nn.init.constant_(self.genres.bias, INITIAL_BIAS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) -> logits (N, 25)."""
        x = self.features(x)
        pooled = []
        if self.head in ("average", "both"):
            pooled.append(x.mean((2, 3)))
        if self.head in ("maximum", "both"):
            pooled.append(x.amax((2, 3)))
        return self.genres(self.dropout(torch.cat(pooled, 1)))


def convolution(
    channels: int, filters: int, size: int = 3, stride: int = 1, initial: str = "he"
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A padded convolution without a bias, and the batch norm after it."""
    conv = nn.Conv2d(channels, filters, size, stride, padding=size // 2, bias=False)
    if initial == "he":
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    return conv, nn.BatchNorm2d(filters)
