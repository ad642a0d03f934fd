"""All that decides the weights a run ends with, as JSON; a resumed run must have the same.

Not part of it: the machine, the versions of Python, NumPy and Numba, and the number of threads, on which the
last digits depend, and what ``minicnn.training.settings_json`` cannot see of functions and objects.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Protocol

import numpy as np

from minicnn.kernels import dispatch
from minicnn.layer import Layer, Parameter
from minicnn.losses import Loss
from minicnn.schedules import Schedule
from minicnn.serialize import to_json
from minicnn.training.callbacks import Callback
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.training.run_types import Plan, Run
from minicnn.training.settings_json import as_json_values, settings_of
from minicnn.version import __version__


class ConfiguredRun(Run, Protocol):
    """A run with all that it was set up with; see ``Trainer`` for each."""

    loss: Loss
    schedule: Schedule | None
    ema: ExponentialMovingAverage | None
    clip_norm: float | None
    seed: int
    callbacks: list[Callback]
    configuration: dict[str, Any]
    fusion: bool
    optimizer_settings: dict[str, Any]


def run_settings(run: ConfiguredRun, plan: Plan) -> dict[str, Any]:
    """The settings of a run by name. Raises SerializeError for a configuration that JSON cannot hold."""
    settings = {
        "configuration": run.configuration,
        "epochs": plan.epochs,
        "seed": run.seed,
        "layers": dict(_layers(run.model)),
        "parameters": _parameters(run),
        "loss": as_json_values(run.loss),
        "optimizer": run.optimizer_settings,
        "schedule": schedule_settings(run.schedule, plan.steps),
        "ema": as_json_values(run.ema),
        "clip_norm": run.clip_norm,
        "training data": settings_of(plan.train_loader),
        "validation data": None if plan.val_loader is None else settings_of(plan.val_loader),
        "validation metrics": as_json_values(plan.val_metrics),
        "monitor": [plan.monitor, plan.mode],
        "callbacks": {
            name: as_json_values(callback.settings()) for name, callback in resumable(run.callbacks)
        },
        "backend": dispatch.current_backend(),
        "MINICNN_CONVOLUTION": os.environ.get("MINICNN_CONVOLUTION", ""),
        "MINICNN_FUSION": "on" if run.fusion else "off",
        "minicnn": __version__,
    }
    # As it will be read back: JSON has lists only, no tuples.
    return json.loads(to_json(settings))


def resumable(callbacks: list[Callback]) -> list[tuple[str, Callback]]:
    """Callbacks that take part in a checkpoint, by class, numbered where a class comes twice."""
    named: dict[str, Callback] = {}
    for callback in callbacks:
        if callback.resumable:
            kind = type(callback).__name__
            count = sum(type(other) is type(callback) for other in named.values())
            named[f"{kind} {count + 1}" if count else kind] = callback
    return list(named.items())


def _layers(layer: Layer, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(dotted name, settings) of the layer and of all layers inside it; arrays are no settings."""
    settings = {
        key: value
        for key, value in settings_of(layer).items()
        if not isinstance(getattr(layer, key, None), (Parameter, np.ndarray, np.random.Generator))
    }
    yield name or "model", {"type": type(layer).__name__, **settings}
    for key, child in layer.children().items():
        yield from _layers(child, f"{name}.{key}" if name else key)


def _parameters(run: Run) -> dict[str, dict[str, bool]]:
    """For each parameter, whether it is trained, decays, and is among those of the optimiser."""
    optimized = {id(parameter) for parameter in run.optimizer.parameters.values()}
    return {
        name: {"trainable": p.trainable, "decay": p.decay, "optimized": id(p) in optimized}
        for name, p in run.model.parameters().items()
    }


def schedule_settings(schedule: Schedule | None, steps: int) -> str | None:
    """A text that identifies a learning-rate schedule: its fields where those are plain values, as in those
    of minicnn.schedules; for any other function a checksum of the rates of all ``steps``.
    """
    if schedule is None:
        return None
    if _plain(schedule):
        return repr(schedule)
    rates = np.array([schedule(step) for step in range(steps)], np.float64)
    name = getattr(schedule, "__name__", type(schedule).__name__)
    return f"{name}, checksum of {steps} rates {zlib.crc32(rates.tobytes())}"


def _plain(value: Any) -> bool:
    """Whether ``repr`` shows the whole value."""
    if is_dataclass(value) and not isinstance(value, type):
        return all(field.repr and _plain(getattr(value, field.name)) for field in fields(value))
    return value is None or isinstance(value, (bool, int, float, str))


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """One phrase for each setting that differs; both are JSON values."""
    before, after = _flatten(saved), _flatten(current)
    return [
        f"{name} was {_text(before, name)} and is now {_text(after, name)}"
        for name in dict.fromkeys([*before, *after])
        if name not in before or name not in after or before[name] != after[name]
    ]


def _text(settings: Mapping[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "not set"


def _flatten(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {
            path: leaf
            for key, inner in items
            for path, leaf in _flatten(inner, f"{name}.{key}" if name else str(key)).items()
        }
    return {name: value}
