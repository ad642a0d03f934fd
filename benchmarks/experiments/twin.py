"""The ``compact`` network and its recipe in PyTorch: the same shapes, batches and schedule, for quick trials.

The posters, the split, the augmentation, the order of the batches, the learning rates and the metrics are
poster_genre's and minicnn's own; only the network, its loss and AdamW are PyTorch's. The best ideas are
trained by minicnn before a network is shipped. One difference remains: at stride 2 PyTorch pads above and on
the left, minicnn ("same", as Keras) below and on the right, which shifts the picture by a pixel.
"""

from __future__ import annotations

import copy
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minicnn import metrics
from minicnn.data import ArrayDataset, DataLoader
from minicnn.schedules import OneCycle
from poster_genre.data.augment import Augmentation, Mixup
from poster_genre.data.cache import cached_posters
from poster_genre.data.dataset import load_dataset
from poster_genre.data.transforms import Normalisation
from poster_genre.evaluation.measures import cross_entropy
from poster_genre.genres import N_GENRES
from poster_genre.model.compact import INITIAL_BIAS
from poster_genre.model.networks import SPECS

Scores = dict[str, float]
INITIALISING = threading.Lock()  # PyTorch's initialisers draw from one generator that all threads share


@dataclass(frozen=True)
class Settings:
    """One trial: the arguments of ``compact`` and of its recipe, and what else an idea may change.

    ``last``       filters of one more convolution at a quarter of the last stage's area; 0: none.
    ``squeeze``    squeeze-and-excitation in every block, the bottleneck having 1 / squeeze of the channels;
                   0: none.
    ``head``       the pooling of every channel: "average", "maximum" or "both".
    ``loss``       "bce", "focal" (gamma 1 for both) or "asymmetric" (gamma 2 for negatives only).
    ``precision``  "bfloat16" for convolutions and their gradients (half the time where the processor has it),
                   or "float32", as minicnn computes; weights and sums are float32 in both.
    ``initial``    of the stem, the projections and the last convolution: "he", or "torch", PyTorch's default,
                   whose weights are 2.4 times smaller. The norm behind them undoes the scale, but what is
                   small turns faster under the same learning rate.
    ``stem``       filters of the stem; 0: as many as the first stage has.
    ``mixup``      "posters": every poster of a batch has a share of its own; "batches": all have the same.
    ``momentum``   "constant" (0.9), or "cycle": AdamW's beta1 goes from 0.95 to 0.85 and back while the
                   learning rate rises and falls.
    ``share``      the part of the train split that is trained on, the first rows of it.
    ``sampling``   "natural", or "balanced": a genre is drawn evenly, then one of its posters.
    """

    height: int = 60
    width: int = 40
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (1, 1, 1)
    stem_stride: int = 2
    stem_size: int = 3
    stem: int = 0
    initial: str = "he"
    momentum: str = "constant"
    mixup: str = "posters"
    last: int = 0
    squeeze: int = 0
    head: str = "both"
    dropout: float = 0.3
    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    clip_norm: float = 5.0
    ema_decay: float = 0.998
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.2
    loss: str = "bce"
    sampling: str = "natural"
    flip: float = 0.5
    min_area: float = 0.6
    aspect: float = 1.15
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    erase: float = 0.0
    shift: float = 0.0
    precision: str = "bfloat16"
    share: float = 1.0

    def augmentation(self) -> Augmentation:
        return Augmentation(
            self.flip,
            self.min_area,
            self.aspect,
            self.brightness,
            self.contrast,
            self.saturation,
            self.erase,
            self.shift,
        )


class Dropout(nn.Module):
    """Inverted dropout with a generator of its own, so that runs in parallel threads stay reproducible."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.seed = torch.initial_seed()
        self.generator: torch.Generator | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
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
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Block(nn.Module):
    """``poster_genre.model.compact._residual_block`` and the ReLU behind it."""

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
    """A padded convolution without a bias, and the norm behind it."""
    conv = nn.Conv2d(channels, filters, size, stride, padding=size // 2, bias=False)
    if initial == "he":
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
    return conv, nn.BatchNorm2d(filters)


@dataclass(frozen=True)
class Posters:
    """Both parts of the split at one size: uint8 images (n, h, w, 3) and labels (n, 25)."""

    train_x: np.ndarray
    train_y: np.ndarray
    val_x: np.ndarray
    val_y: np.ndarray


def read_posters(path: str, size: tuple[int, int]) -> Posters:
    dataset = load_dataset(path)
    parts = []
    for name in ("train", "val"):
        cached = cached_posters(dataset.split(name), size)
        parts += [np.asarray(cached.images), cached.dataset.labels]
    return Posters(*parts)


class BalancedLoader(DataLoader):
    """As many samples an epoch as before, each drawn by its genre: first a genre evenly, then a poster of it.

    The original project's remedy, "equal distribution of genres"; a poster may come twice in an epoch.
    """

    def order(self, epoch: int) -> np.ndarray:
        labels = np.stack([self.dataset[i][1] for i in range(len(self.dataset))])
        rng = self._generator(epoch, 4, 0)
        members = [np.flatnonzero(column) for column in labels.T if column.any()]
        genres = rng.integers(len(members), size=self.samples)
        return np.array([rng.choice(members[g]) for g in genres])


class MixupOfPosters(Mixup):
    """A share for every poster: a batch always holds mixtures and posters alike."""

    def __call__(
        self, x: np.ndarray, y: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        share = rng.beta(self.alpha, self.alpha, (len(x), 1)).astype(np.float32)
        partner = rng.permutation(len(x))
        y, of_pixels = y.astype(np.float32), share[:, :, None, None]
        return of_pixels * x + (1 - of_pixels) * x[partner], share * y + (1 - share) * y[partner]


def train_loader(settings: Settings, posters: Posters, seed: int) -> DataLoader:
    normalise = to_input()
    mix: Mixup | None = None
    if settings.mixup_alpha:
        mix = (Mixup if settings.mixup == "batches" else MixupOfPosters)(settings.mixup_alpha)
    count = round(settings.share * len(posters.train_x))
    kind = BalancedLoader if settings.sampling == "balanced" else DataLoader
    return kind(
        ArrayDataset(posters.train_x[:count], posters.train_y[:count]),
        settings.batch_size,
        shuffle=True,
        drop_last=True,
        seed=seed,
        augment=settings.augmentation(),
        batch_augment=mix and (lambda x, y, rng: mix(normalise(x), y, rng)),
        to_input=None if mix else normalise,
    )


def to_input() -> Callable[[np.ndarray], np.ndarray]:
    return Normalisation(SPECS["compact"].mean, SPECS["compact"].std).apply


def as_tensor(x: np.ndarray) -> torch.Tensor:
    """NHWC in memory is what PyTorch calls NCHW in the channels-last format: nothing is copied."""
    return torch.from_numpy(np.ascontiguousarray(x, np.float32)).permute(0, 3, 1, 2)


def loss_of(settings: Settings, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    y = y * (1 - settings.label_smoothing) + settings.label_smoothing / 2
    if settings.loss == "bce":
        return F.binary_cross_entropy_with_logits(logits, y)
    gamma_positive, gamma_negative = {"focal": (1.0, 1.0), "asymmetric": (0.0, 2.0)}[settings.loss]
    p = torch.sigmoid(logits)
    positive = y * (1 - p) ** gamma_positive * F.logsigmoid(logits)
    negative = (1 - y) * p**gamma_negative * F.logsigmoid(-logits)
    return -(positive + negative).mean()


def predict(network: nn.Module, images: np.ndarray, mirror: bool = True) -> np.ndarray:
    """Probabilities (n, 25), the mean over the poster and, with ``mirror``, its mirror image."""
    network.eval()
    normalise, batches = to_input(), []
    with torch.no_grad():
        for start in range(0, len(images), 64):
            x = as_tensor(normalise(images[start : start + 64]))
            p = torch.sigmoid(network(x))
            batches.append((p + torch.sigmoid(network(x.flip(3)))) / 2 if mirror else p)
    return torch.cat(batches).numpy()


def score(labels: np.ndarray, p: np.ndarray) -> Scores:
    return {
        "auc": metrics.macro_roc_auc(labels, p),
        "map": metrics.macro_average_precision(labels, p),
        "micro_ap": metrics.micro_average_precision(labels, p),
        "top1": metrics.top1(labels, p),
        "hit3": metrics.hit_at_k(labels, p, 3),
        "bce": cross_entropy(labels, p),
    }


def adamw(network: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW with weight decay for matrices and kernels alone, as minicnn has it."""
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def train(
    settings: Settings,
    posters: Posters,
    seed: int,
    report: Callable[[int, float, nn.Module], None] | None = None,
) -> tuple[dict[str, Any], np.ndarray]:
    """Train once; the numbers of a row of the log, and val's probabilities (n, 25).

    The score is that of the averaged weights after the last epoch: nothing is picked by looking at val.
    ``raw_auc`` is the score of the weights as they are, ``plain_auc`` that without the mirror image,
    ``train_auc`` that on 1,000 posters of the train split: the gap to ``auc`` is overfitting.
    ``report(epoch, loss, average)`` is called after every epoch.
    """
    with INITIALISING:
        torch.manual_seed(seed)
        network = Compact(settings)
    average, optimizer = copy.deepcopy(network), adamw(network, settings)
    loader = train_loader(settings, posters, seed)
    schedule = OneCycle(settings.learning_rate, settings.epochs * len(loader))
    start, step = time.perf_counter(), 0
    for epoch in range(settings.epochs):
        network.train()
        total = 0.0
        for x, y in loader.epoch(epoch):
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
                if settings.momentum == "cycle":
                    group["betas"] = (0.95 - 0.1 * schedule(step) / settings.learning_rate, 0.999)
            optimizer.zero_grad(set_to_none=True)
            low = settings.precision == "bfloat16"
            with torch.autocast("cpu", torch.bfloat16, enabled=low, cache_enabled=False):
                logits = network(as_tensor(x))
            loss = loss_of(settings, logits.float(), torch.from_numpy(y.astype(np.float32)))
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
            optimizer.step()
            follow(average, network, min(settings.ema_decay, (1 + step) / (10 + step)))
            step += 1
            total += loss.item()
        if report is not None:
            report(epoch + 1, total / len(loader), average)
    seconds = time.perf_counter() - start
    probabilities = predict(average, posters.val_x)
    seen = round(settings.share * len(posters.train_x))
    some = slice(0, seen, max(seen // 1000, 1))
    row: dict[str, Any] = {
        "params": sum(parameter.numel() for parameter in network.parameters()),
        "seconds": round(seconds),
        "train_loss": total / len(loader),
        **score(posters.val_y, probabilities),
        "raw_auc": score(posters.val_y, predict(network, posters.val_x))["auc"],
        "plain_auc": score(posters.val_y, predict(average, posters.val_x, mirror=False))["auc"],
        "train_auc": score(posters.train_y[some], predict(average, posters.train_x[some]))["auc"],
    }
    return row, probabilities


def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the moving average one step, in weights and running statistics alike."""
    with torch.no_grad():
        torch._foreach_lerp_(floats(average), floats(network), 1 - decay)


def floats(network: nn.Module) -> list[torch.Tensor]:
    return [tensor for tensor in network.state_dict().values() if tensor.dtype.is_floating_point]
