"""The ``compact`` network and its recipe in PyTorch, for quick trials.

The posters, the split, the augmentation, the order of the batches, the learning rates and the measures are
those of poster_genre and minicnn; the network, its loss and AdamW are PyTorch's. Networks that are published
are trained with minicnn. One difference remains: with stride 2 PyTorch pads at the top and left, minicnn
("same", as in Keras) at the bottom and right, which shifts the picture by one pixel.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.experiments.posters import Posters, score
from benchmarks.experiments.trial_settings import Settings
from benchmarks.experiments.twin_data import as_tensor, to_input, train_loader
from benchmarks.experiments.twin_network import Compact
from minicnn.schedules import OneCycle

Report = Callable[[int, float, nn.Module], None]
INITIALISING = threading.Lock()  # PyTorch's initialisers draw from one generator that all threads share


def loss_of(settings: Settings, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The trial's loss, a scalar, of logits (N, 25) and labels (N, 25)."""
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


class Run:
    """One training run: the network, its moving average, the optimizer and the schedule."""

    def __init__(self, settings: Settings, posters: Posters, seed: int) -> None:
        self.settings = settings
        with INITIALISING:
            torch.manual_seed(seed)
            self.network = Compact(settings)
        self.average = copy.deepcopy(self.network)
        matrices = [parameter for parameter in self.network.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in self.network.parameters() if parameter.ndim == 1]
        groups = [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
        self.loader = train_loader(settings, posters, seed)
        self.schedule = OneCycle(settings.learning_rate, settings.epochs * len(self.loader))
        self.step = 0

    def epoch(self, epoch: int) -> float:
        """Train one epoch; its mean loss."""
        self.network.train()
        total = 0.0
        for x, y in self.loader.epoch(epoch):
            total += self.train_step(x, y)
        return total / len(self.loader)

    def train_step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One step on a batch, x (N, h, w, 3) float32 and y (N, 25); the loss."""
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule(self.step)
            if settings.momentum == "cycle":
                group["betas"] = (0.95 - 0.1 * self.schedule(self.step) / settings.learning_rate, 0.999)
        self.optimizer.zero_grad(set_to_none=True)
        low = settings.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=low, cache_enabled=False):
            logits = self.network(as_tensor(x))
        loss = loss_of(settings, logits.float(), torch.from_numpy(y.astype(np.float32)))
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        self.optimizer.step()
        move_average(self.average, self.network, min(settings.ema_decay, (1 + self.step) / (10 + self.step)))
        self.step += 1
        return loss.item()


def train(
    settings: Settings, posters: Posters, seed: int, report: Report | None = None
) -> tuple[dict[str, Any], np.ndarray]:
    """Train once; the numbers of a row of the log, and val's probabilities (n, 25).

    The scores are those of the averaged weights after the last epoch, whatever val says of earlier epochs.
    ``raw_auc`` is the score without averaging the weights, ``plain_auc`` that without the mirror image,
    ``train_auc`` that on 1,000 posters of the train split: its difference to ``auc`` shows the overfitting.
    ``report(epoch, loss, average)`` is called after every epoch.
    """
    run = Run(settings, posters, seed)
    start = time.perf_counter()
    loss = 0.0
    for epoch in range(settings.epochs):
        loss = run.epoch(epoch)
        if report is not None:
            report(epoch + 1, loss, run.average)
    seconds = time.perf_counter() - start
    probabilities = predict(run.average, posters.val_x)
    trained_on = round(settings.share * len(posters.train_x))
    sample = slice(0, trained_on, max(trained_on // 1000, 1))
    row: dict[str, Any] = {
        "params": sum(parameter.numel() for parameter in run.network.parameters()),
        "seconds": round(seconds),
        "train_loss": loss,
        **score(posters.val_y, probabilities),
        "raw_auc": score(posters.val_y, predict(run.network, posters.val_x))["auc"],
        "plain_auc": score(posters.val_y, predict(run.average, posters.val_x, mirror=False))["auc"],
        "train_auc": score(posters.train_y[sample], predict(run.average, posters.train_x[sample]))["auc"],
    }
    return row, probabilities


def move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average one step towards the network, in weights and running statistics alike."""
    with torch.no_grad():
        torch._foreach_lerp_(floats(average), floats(network), 1 - decay)


def floats(network: nn.Module) -> list[torch.Tensor]:
    """The network's floating-point parameters and buffers."""
    return [tensor for tensor in network.state_dict().values() if tensor.dtype.is_floating_point]
