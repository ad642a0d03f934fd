"""The trials: each changes one thing of a base, so that the paired difference is the worth of that thing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from benchmarks.experiments.twin import Settings


@dataclass(frozen=True)
class Trial:
    """``base``: name of the trial it is compared with, seed by seed; its own name for a base."""

    base: str
    change: str
    settings: Settings


BASE = Settings()
TRIALS: dict[str, Trial] = {"base": Trial("base", "72x48 input, 3 stages, 8 epochs", BASE)}


def _trial(name: str, change: str, base: str = "base", **settings: Any) -> None:
    TRIALS[name] = Trial(base, change, replace(TRIALS[base].settings, **settings))


_trial("squeeze", "squeeze-and-excitation in every block", squeeze=8)
_trial("average", "average pooling alone before the classifier", head="average")
_trial("square", "60x60 input: the poster squashed to a square", height=60, width=60)
_trial("no-mixup", "no mixup", mixup_alpha=0.0)
_trial("no-crops", "no random resized crops", min_area=1.0, aspect=1.0)
_trial("no-colour", "no colour jitter", brightness=0.0, contrast=0.0, saturation=0.0)
_trial("balanced", "class-balanced sampling (the original project's remedy)", sampling="balanced")
_trial(
    "small", "half the units, one stage less (the original project's remedy)", widths=(16, 64), blocks=(1, 1)
)
_trial("focal", "focal loss, gamma 1", loss="focal")
_trial("asymmetric", "asymmetric loss, gamma 2 for negatives", loss="asymmetric")
_trial("no-dropout", "no dropout", dropout=0.0)
_trial("no-decay", "no weight decay", weight_decay=0.0)
_trial("more-decay", "weight decay 0.2", weight_decay=0.2)
_trial("smoothing", "label smoothing 0.05", label_smoothing=0.05)
_trial("erasing", "random erasing of every third poster", erase=0.33)
_trial("strong-crops", "crops down to a third of the area", min_area=0.35, aspect=1.3)
_trial("last", "one more convolution, 256 filters, at 4x3", last=256)
_trial("wide", "half as many channels again", widths=(48, 96, 192))
_trial("deep", "two blocks in the last two stages", blocks=(1, 2, 2))
_trial(
    "stride4",
    "144x96 input behind a stem of stride 4: the same maps, finer pixels",
    height=144,
    width=96,
    stem_stride=4,
    stem_size=7,
)
_trial("float32", "float32 throughout: what bfloat16 costs", precision="float32")
_trial("slow", "learning rate 1e-3", learning_rate=1e-3)
_trial("fast", "learning rate 4e-3", learning_rate=4e-3)
_trial("batch64", "batches of 64", batch_size=64)
