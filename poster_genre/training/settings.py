"""The settings of a training run: the flags of ``poster-genre train``, with their defaults."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from typing import Any

from poster_genre.errors import UsageError, printable
from poster_genre.model.networks import model_spec
from poster_genre.model.spec import ModelSpec

DEFAULT_MODEL = "compact"


@dataclass(frozen=True)
class Settings:
    """The flags of ``train``; None means the default, or with ``--resume`` what the run was started with."""

    model: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    lr: float | None = None
    init: str | None = None
    threads: int | None = None

    def spec(self) -> ModelSpec:
        """The model's specification with ``epochs``, ``batch_size`` and ``lr`` put into its recipe."""
        return model_spec(self.model or DEFAULT_MODEL).with_recipe(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.lr
        )


def with_defaults(settings: Settings) -> Settings:
    """The settings of a new run, every one of them a value (``init`` may be None)."""
    from minicnn.kernels.runtime.thread_count import get_threads

    spec = model_spec(settings.model or DEFAULT_MODEL)
    return Settings(
        model=spec.name,
        epochs=settings.epochs or spec.recipe.epochs,
        batch_size=settings.batch_size or spec.recipe.batch_size,
        seed=settings.seed or 0,
        lr=settings.lr or spec.recipe.learning_rate,
        init=settings.init,
        threads=settings.threads or get_threads(),
    )


def resumed(settings: Settings, started: dict[str, Any]) -> Settings:
    """The settings that a run was started with. UsageError for a flag that says anything else.

    ``init`` is not compared: its file may have another name now, see ``training.training_run.resumed_run``.
    """
    for field in fields(Settings):
        given, before = getattr(settings, field.name), started.get(field.name)
        if field.name != "init" and given is not None and given != before:
            flag = field.name.replace("_", "-")
            raise UsageError(
                f"--resume: the run was started with --{flag} {before}, not {given}; leave the flag out, "
                "or start a new run in another folder"
            )
    return Settings(**{field.name: started.get(field.name) for field in fields(Settings)})


def command_of(data: str, settings: Settings) -> str:
    """The command that repeats the run, without the folders, on which the result does not depend."""
    words = ["poster-genre", "train", "--data", data]
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if value is not None:
            words += [f"--{field.name.replace('_', '-')}", printable(str(value))]
    return shlex.join(words)
