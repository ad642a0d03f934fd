"""What ``poster-genre train`` does: a data set and an output folder in, a model file and a report out.

    OUT/last.npz, best.npz     checkpoints: where a killed run goes on, and the epoch with the lowest val loss
    OUT/history.csv, curves.png
    OUT/model.npz              the trained model
    OUT/report.html            how good it is

Whatever can be refused is refused before OUT is touched.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.serialize import SerializeError, leftovers, load
from minicnn.training.trainer import DivergedError
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.evaluation.evaluate import evaluate_classifier
from poster_genre.genres import N_GENRES
from poster_genre.model.networks import model_spec
from poster_genre.output_path import contents, refuse_unwritable_folder, remove_clutter

LAST, BEST, MODEL, REPORT, HISTORY, CURVES = (
    "last.npz",
    "best.npz",
    "model.npz",
    "report.html",
    "history.csv",
    "curves.png",
)


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


def train(
    data: str | Path, out: str | Path, settings: Settings, *, resume: bool = False
) -> tuple[PosterGenreClassifier, dict[str, Any] | None]:
    """Train on the data's train split. Returns the classifier and its evaluation on val (None without val
    posters).

    Raises UsageError, before anything is written, where the folder and ``resume`` do not fit each other.
    """
    from minicnn.training.callbacks import HistoryCSV, HistoryPlot, ProgressBar
    from poster_genre.data.dataset import load_dataset
    from poster_genre.evaluation.report.report import curves_note, write_report

    folder = Path(out)
    started = check_folder(folder, resume)
    settings = with_defaults(settings, None if started is None else started["settings"])
    classifier = PosterGenreClassifier(
        settings.model or "compact",
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        lr=settings.lr,
        seed=settings.seed or 0,
        threads=settings.threads,
        init=settings.init,
    )
    spec = classifier.specification()
    if settings.init is not None:
        classifier.initial_network()  # so that an unfit file is refused before the posters are read
    dataset = load_dataset(data)
    x, labels, _ = split_arrays(dataset, "train", spec.input_size)
    x_val, labels_val, val_ids = split_arrays(dataset, "val", spec.input_size)
    if len(x) == 0:
        raise PosterGenreError(f"{data} has no usable poster in its train split: nothing to train on")
    fingerprint = fingerprint_of(x, labels)
    configuration = {
        "settings": asdict(settings),
        "data_fingerprint": fingerprint,
        "spec": plain(asdict(spec)),
    }
    if started is not None:
        check_same_run(folder, started, configuration)
    if len(x_val) == 0:
        say(
            "the data has no val posters: thresholds will be 0.5, nothing is calibrated, and there "
            "is nothing to measure on"
        )
    if not resume and folder.is_dir():
        remove_clutter(folder)
    try:
        classifier.fit(
            x,
            labels,
            (x_val, labels_val) if len(x_val) else None,
            checkpoint_dir=folder,
            resume=resume,
            callbacks=[
                ProgressBar(),
                HistoryCSV(folder / HISTORY),
                HistoryPlot(folder / CURVES, note=curves_note(spec)),
            ],
            configuration=configuration,
        )
    except DivergedError as error:
        raise PosterGenreError(
            f"{error}; here that means a new --out and an --lr below {spec.recipe.learning_rate:g}"
        ) from error
    result = None
    probabilities = None
    if len(x_val):
        result, probabilities = evaluate_classifier(classifier, x_val, labels_val, split="val")
    classifier.provenance_ = {
        "data": Path(data).name,
        "data_fingerprint": fingerprint,
        "train_posters": len(x),
        "val_posters": len(x_val),
        "command": command_of(Path(data).name, settings),
        "recipe": plain(asdict(spec.recipe)),
        "seed": classifier.seed,
        "history": [reproducible(row) for row in classifier.history_],
        "val": None if result is None else {k: v for k, v in result.items() if not isinstance(v, dict)},
    }
    classifier.save(folder / MODEL)
    if result is not None and probabilities is not None:
        write_report(
            folder / REPORT,
            classifier,
            result,
            labels_val,
            probabilities,
            posters=x_val,
            ids=val_ids,
        )
    return classifier, result


def check_folder(folder: Path, resume: bool) -> dict[str, Any] | None:
    """The configuration that the run in ``folder`` was started with when it is to be resumed, else None."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; name a folder")
    refuse_unwritable_folder(folder)
    checkpoint = folder / LAST
    if not resume:
        if folder.exists() and set(contents(folder)) - set(leftovers(folder)):
            more = "; to continue the run in it, add --resume" if checkpoint.exists() else ""
            raise UsageError(f"--out {folder} is not empty; name a new folder{more}")
        return None
    if not checkpoint.exists():
        raise UsageError(f"--resume: there is no checkpoint {checkpoint}; start without --resume")
    try:
        _, metadata = load(checkpoint)
    except (SerializeError, OSError) as error:
        raise UsageError(f"--resume: {checkpoint} cannot be continued ({error})") from error
    about = metadata.get("settings")
    configuration = about.get("configuration") if isinstance(about, dict) else None
    if isinstance(configuration, dict) and configuration.keys() >= {"settings", "data_fingerprint", "spec"}:
        return configuration
    raise UsageError(
        f"--resume: {checkpoint} is not a checkpoint that 'poster-genre train' wrote; name a run's folder"
    )


def with_defaults(given: Settings, started: dict[str, Any] | None) -> Settings:
    """Every setting as a value. A resumed run takes what it was started with, and refuses anything else."""
    if started is None:
        from minicnn.kernels.runtime.threads import get_threads

        spec = model_spec(given.model or "compact")
        return Settings(
            model=spec.name,
            epochs=given.epochs or spec.recipe.epochs,
            batch_size=given.batch_size or spec.recipe.batch_size,
            seed=given.seed or 0,
            lr=given.lr or spec.recipe.learning_rate,
            init=given.init,
            threads=given.threads or get_threads(),
        )
    for field in fields(Settings):
        wanted, had = getattr(given, field.name), started.get(field.name)
        if wanted is not None and wanted != had:
            flag = field.name.replace("_", "-")
            raise UsageError(
                f"--resume: the run was started with --{flag} {had}, not {wanted}; leave the flag out, "
                "or start a new run in another folder"
            )
    return Settings(**{field.name: started.get(field.name) for field in fields(Settings)})


def check_same_run(folder: Path, started: dict[str, Any], now: dict[str, Any]) -> None:
    """Beyond the flags: the posters and the package's recipe must be those that the run was started with."""
    if started["data_fingerprint"] != now["data_fingerprint"]:
        raise UsageError(
            f"--resume: the run in {folder} was started on other posters or labels; give it the same data, "
            "or start a new run in another folder"
        )
    if started["spec"] != now["spec"]:
        raise UsageError(
            f"--resume: this version of poster-genre trains {now['spec']['name']!r} differently than the run "
            "in "
            f"{folder} was started; start a new run in another folder"
        )


def split_arrays(dataset: Any, split: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Pixels (n, h, w, 3), labels (n, 25) and Ids (n) of a split; unreadable posters are named and left
    out.
    """
    from poster_genre.data.cache import cached_posters

    if not dataset.split_sizes()[split]:
        nothing = np.zeros((0, *size, 3), np.uint8)
        return nothing, np.zeros((0, N_GENRES), np.uint8), []
    part = dataset.split(split)
    cached = cached_posters(part, size)
    for i in np.flatnonzero(~cached.readable):
        say(f"warning: {part.ids[i]}: the poster cannot be read; its row is left out")
    return cached.images, cached.dataset.labels, list(cached.dataset.ids)


def fingerprint_of(x: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of the pixels and labels that training sees."""
    digest = hashlib.sha256(repr(x.shape).encode())
    for start in range(0, len(x), 64):
        digest.update(np.ascontiguousarray(x[start : start + 64]).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()


def command_of(data: str, settings: Settings) -> str:
    """The command that repeats the run, without the folders, which the result does not depend on."""
    words = ["poster-genre", "train", "--data", data]
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if value is not None:
            text = Path(value).name if field.name == "init" else str(value)
            words += [f"--{field.name.replace('_', '-')}", text]
    return shlex.join(words)


def reproducible(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the history without what the clock measured: equal runs write equal model files."""
    return {name: value for name, value in row.items() if name not in ("seconds", "images_per_second")}


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """The same with tuples as lists, as JSON gives them back."""
    return {
        key: plain(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
    }


def say(text: str) -> None:
    """A remark for the person, kept out of standard output."""
    print(text, file=sys.stderr)
