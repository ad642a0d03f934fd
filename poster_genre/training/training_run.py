"""The run of ``poster-genre train``: a data set in, a run folder with model and report out.

The weights are trained by ``fit``, and ``run_folder`` describes the folder.

The network is trained on the train split; val calibrates the probabilities, chooses the thresholds and is
evaluated. Whatever can be refused is refused before the run folder is touched.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from minicnn.containers import Sequential
from minicnn.training.divergence import DivergedError
from poster_genre.data.arrays import data_fingerprint, split_arrays
from poster_genre.errors import PosterGenreError, UsageError, printable
from poster_genre.evaluation.evaluate import evaluate_model
from poster_genre.evaluation.measures import Scores
from poster_genre.model.model_file import load_model, save_model
from poster_genre.model.spec import ModelSpec
from poster_genre.model.trained_model import TrainedModel, model_fingerprint
from poster_genre.output_path import remove_clutter
from poster_genre.training.fit import Posters, pretrained_model, train_model
from poster_genre.training.run_folder import (
    CURVES,
    HISTORY,
    MODEL,
    REPORT,
    check_new,
    check_same_run,
    configuration_of,
    locked,
)
from poster_genre.training.settings import Settings, command_of, resumed, with_defaults


class Start(NamedTuple):
    """How a run starts.

    ``settings``       all of them values.
    ``network``        the pretrained network of ``--init``; None: random weights, or those of the checkpoint.
    ``init``           the fingerprint of the model of ``--init``, None where the run was started without.
    ``configuration``  of the run that is resumed, None for a new one.
    """

    settings: Settings
    network: Sequential | None
    init: str | None
    configuration: dict[str, Any] | None


@dataclass(frozen=True, eq=False)
class RunData:
    """The posters of a run: ``train`` and ``val`` arrays, the Ids of val, and the fingerprint of train."""

    train: Posters
    val: Posters | None
    val_ids: list[str]
    train_fingerprint: str


def run_training(
    data: str | Path, out: str | Path, settings: Settings, *, resume: bool = False
) -> tuple[TrainedModel, Scores | None]:
    """Train on the data's train split. Returns the model and its evaluation on val, None without val.

    Raises UsageError, before anything is written, where the folder and ``resume`` do not fit each other.
    """
    from minicnn.kernels.runtime.thread_count import set_threads

    folder = Path(out)
    start = resumed_run(folder, settings) if resume else new_run(folder, settings)
    settings, spec = start.settings, start.settings.spec()
    posters = read_posters(data, spec)
    configuration = {
        "settings": asdict(settings),
        "init": start.init,
        "data_fingerprint": posters.train_fingerprint,
        "spec": plain(asdict(spec)),
    }
    if start.configuration is not None:
        check_same_run(folder, start.configuration, configuration)
    if settings.threads is not None:
        set_threads(settings.threads)
    with locked(folder) as run_folder:
        if not resume:
            remove_clutter(folder)
        try:
            model = train_model(
                spec,
                posters.train,
                posters.val,
                network=start.network,
                seed=settings.seed or 0,
                checkpoint_dir=run_folder,
                resume=resume,
                callbacks=callbacks_of(folder, spec),
                configuration=configuration,
            )
        except DivergedError as error:
            raise PosterGenreError(
                f"{error}; with this command, a new --out and an --lr below {spec.recipe.learning_rate:g}"
            ) from error
        # The model file and the report are UTF-8; the name of a folder need not be.
        name = printable(Path(data).name)
        about = {"data": name, "command": command_of(name, settings), "seed": settings.seed}
        return write_results(folder, model, posters, about)


def new_run(folder: Path, settings: Settings) -> Start:
    """The start of a run in a new folder, from random weights or the model file ``settings.init``."""
    check_new(folder)
    settings = with_defaults(settings)
    if settings.init is None:
        return Start(settings, None, None, None)
    model = pretrained_model(settings.spec(), settings.init)
    # The checkpoint holds the weights; the file's name is recorded, its location is not.
    named = replace(settings, init=printable(Path(settings.init).name))
    return Start(named, model.network, model_fingerprint(model), None)


def resumed_run(folder: Path, settings: Settings) -> Start:
    """The start of a resumed run. UsageError for settings other than those it was started with.

    A run that was started with ``--init`` does not need that file any more; if it is given again, it must
    hold the same weights.
    """
    configuration = configuration_of(folder)
    before = configuration["init"]
    if settings.init is not None and model_fingerprint(load_model(settings.init)) != before:
        origin = "without --init" if before is None else "from other weights"
        raise UsageError(
            f"--resume: the run was started {origin}, not with --init {settings.init}; leave the flag out, "
            "or start a new run in another folder"
        )
    return Start(resumed(settings, configuration["settings"]), None, before, configuration)


def read_posters(data: str | Path, spec: ModelSpec) -> RunData:
    """The train and val splits of a data set at the network's input size.

    PosterGenreError where the train split has no usable poster.
    """
    from poster_genre.data.dataset import load_dataset

    dataset = load_dataset(data)
    x, labels, _ = split_arrays(dataset, "train", spec.input_size)
    x_val, labels_val, val_ids = split_arrays(dataset, "val", spec.input_size)
    if len(x) == 0:
        raise PosterGenreError(f"{data} has no usable poster in its train split: nothing to train on")
    if len(x_val) == 0:
        print(
            "the data has no val posters: thresholds will be 0.5, nothing is calibrated, and there "
            "is nothing to measure on",
            file=sys.stderr,
        )
    val = (x_val, labels_val) if len(x_val) else None
    return RunData((x, labels), val, val_ids, data_fingerprint(x, labels))


def callbacks_of(folder: Path, spec: ModelSpec) -> list[Any]:
    """The progress bar, and the callbacks that write history.csv and curves.png."""
    from minicnn.training.callbacks import HistoryCSV, HistoryPlot, ProgressBar
    from poster_genre.evaluation.report.report import curves_note

    return [
        ProgressBar(),
        HistoryCSV(folder / HISTORY),
        HistoryPlot(folder / CURVES, note=curves_note(spec)),
    ]


def write_results(
    folder: Path, model: TrainedModel, posters: RunData, about: Mapping[str, Any]
) -> tuple[TrainedModel, Scores | None]:
    """Evaluate the model on val, and write model.npz, with its provenance, and report.html."""
    from poster_genre.evaluation.report.report import write_report

    result = probabilities = None
    if posters.val is not None:
        result, probabilities = evaluate_model(model, *posters.val, split="val")
    provenance = {
        "data": about["data"],
        "data_fingerprint": posters.train_fingerprint,
        "train_posters": len(posters.train[0]),
        "val_posters": 0 if posters.val is None else len(posters.val[0]),
        "command": about["command"],
        "recipe": plain(asdict(model.spec.recipe)),
        "seed": about["seed"],
        "history": model.history,
        "val": None if result is None else scalars(result),
    }
    model = replace(model, provenance=provenance)
    save_model(model, folder / MODEL)
    if posters.val is not None and result is not None and probabilities is not None:
        pixels, labels = posters.val
        write_report(
            folder / REPORT, model, result, labels, probabilities, posters=pixels, ids=posters.val_ids
        )
    return model, result


def scalars(result: Scores) -> dict[str, Any]:
    """The measures of an evaluation without its tables."""
    return {name: value for name, value in result.items() if not isinstance(value, dict)}


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with tuples as lists, as JSON reads them back."""
    return {
        key: plain(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
    }
