"""The ideas, each one change of the base settings, and the runs that measure them, alone or in combination.

A run is named by its ideas: ``squeeze`` or ``squeeze+square+no-mixup``; ``base`` has none.

``SCREEN`` is a fractional factorial design (Box, Hunter and Hunter, "Statistics for Experimenters", chapter
6): 16 runs in which each of seven ideas is on in 8 and off in 8, and any two of them are on together in 4.
The effect of an idea is then a difference of two means of 8 runs. As many runs with one idea each would
measure an effect with twice the standard error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from benchmarks.experiments.trial_settings import Settings

BASE = Settings()


@dataclass(frozen=True)
class Idea:
    """A change in words, and the settings that make it."""

    change: str
    settings: dict[str, Any]


IDEAS: dict[str, Idea] = {}


def _idea(name: str, change: str, **settings: Any) -> None:
    IDEAS[name] = Idea(change, settings)


_idea("squeeze", "squeeze-and-excitation in every block", squeeze=8)
_idea("average", "average pooling alone before the classifier", head="average")
_idea("square", "the poster squashed to a square of as many pixels", height=48, width=48)
_idea("no-mixup", "no mixup", mixup_alpha=0.0)
_idea("no-crops", "no random resized crops", min_area=1.0, aspect=1.0)
_idea("no-colour", "no colour jitter", brightness=0.0, contrast=0.0, saturation=0.0)
_idea("no-dropout", "no dropout", dropout=0.0)
_idea("fast", "learning rate 4e-3", learning_rate=4e-3)
_idea("more-decay", "weight decay 0.2", weight_decay=0.2)
_idea("erasing", "random erasing of every third poster", erase=0.33)
_idea("smoothing", "label smoothing 0.05", label_smoothing=0.05)
_idea("balanced", "class-balanced sampling (the original project's remedy)", sampling="balanced")
_idea(
    "small", "half the units, one stage less (the original project's remedy)", widths=(16, 64), blocks=(1, 1)
)
_idea("asymmetric", "asymmetric loss, gamma 2 for negatives", loss="asymmetric")
_idea("focal", "focal loss, gamma 1", loss="focal")
_idea(
    "stride4",
    "four times the pixels behind a 7x7 stem of stride 4",
    height=120,
    width=80,
    stem_stride=4,
    stem_size=7,
)
_idea("large", "1.4 times the side", height=84, width=56)
_idea("deep", "two blocks in the last two stages", blocks=(1, 2, 2))
_idea("wide", "half as many channels again", widths=(48, 96, 192))
_idea("narrow", "half as many channels", widths=(16, 32, 64))
_idea("double", "twice as many channels", widths=(64, 128, 256))
_idea("last", "one more convolution, 256 filters", last=256)
_idea("strong-crops", "crops down to a third of the area", min_area=0.35, aspect=1.3)
_idea("batch64", "batches of 64", batch_size=64)
_idea("torch-init", "PyTorch's smaller first weights where no ReLU block stands", initial="torch")
_idea("momentum-cycle", "beta1 falls while the learning rate rises", momentum="cycle")
_idea("batch-mixup", "one mixup share for a whole batch", mixup="batches")
_idea("no-clipping", "no bound on the gradient's norm", clip_norm=float("inf"))
_idea("float32", "float32 throughout: what bfloat16 costs", precision="float32")
_idea("light-crops", "crops of at least 0.85 of the area", min_area=0.85)
_idea("shifts", "no crops, shifts of up to a tenth", min_area=1.0, aspect=1.0, shift=0.1)
_idea("quarter-data", "a quarter of the train split, four times the epochs", share=0.25, epochs=32)
_idea("half-data", "half of the train split, twice the epochs", share=0.5, epochs=16)
_idea("longer", "16 epochs", epochs=16)
_idea("long", "24 epochs", epochs=24)

# In row r of the design the idea of column c is on where r & c has an odd number of ones. The second seed
# runs the opposite of every row, so that interactions of two ideas do not bias the effects of single ones.
COLUMNS = {
    1: "squeeze",
    2: "average",
    4: "no-crops",
    3: "square",
    5: "no-dropout",
    6: "fast",
    7: "no-mixup",
}


def settings_of(name: str) -> Settings:
    """The settings of a run by its name. KeyError for an unknown idea."""
    settings = BASE
    for idea in ideas_of(name):
        settings = replace(settings, **IDEAS[idea].settings)
    return settings


def ideas_of(name: str) -> list[str]:
    """The ideas in the name of a run."""
    return [] if name == "base" else name.split("+")


def _screen() -> list[tuple[str, int]]:
    """(name, seed) of the 16 runs."""
    runs = []
    for seed in (0, 1):
        for row in range(8):
            on = [idea for column, idea in COLUMNS.items() if (row & column).bit_count() % 2 != seed]
            runs.append(("+".join(on) or "base", seed))
    return runs


SCREEN = _screen()
LIGHT = "shifts+no-dropout+no-mixup+fast"  # little regularisation: the base of the trials of size
SINGLES = [
    (name, seed)
    for name in (
        "base",
        "balanced",
        "small",
        "batch-mixup",
        "torch-init",
        "momentum-cycle",
        *(LIGHT + idea for idea in ("", "+quarter-data", "+half-data", "+narrow", "+double")),
    )
    for seed in (0, 1)
]
