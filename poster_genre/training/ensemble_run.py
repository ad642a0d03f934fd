"""The run of ``poster-genre ensemble``: model files and a data set in, one model file and its report out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from poster_genre.data.arrays import split_arrays
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.evaluation.evaluate import evaluate_model
from poster_genre.evaluation.measures import Scores
from poster_genre.model.ensemble import (
    combine_networks,
    ensemble_spec,
    is_single_network,
    mean_history,
    round_weights,
)
from poster_genre.model.model_file import load_model, save_model
from poster_genre.model.trained_model import TrainedModel, model_fingerprint, with_calibration
from poster_genre.training.run_folder import MODEL, REPORT, check_new, locked
from poster_genre.training.training_run import scalars

PathLike = str | Path


def run_ensemble(files: Sequence[PathLike], data: PathLike, out: PathLike) -> tuple[TrainedModel, Scores]:
    """Combine the model files and write OUT/model.npz and OUT/report.html.

    The weight matrices are rounded to float16; then the data's val split calibrates the ensemble and sets
    its thresholds, as in training. Returns the model and its evaluation on val. UsageError where OUT is not
    empty or the files do not fit together.
    """
    from poster_genre.data.dataset import load_dataset
    from poster_genre.evaluation.report.report import write_report

    folder = Path(out)
    check_new(folder)
    members = [load_model(file) for file in files]
    check_members(files, members)
    first = members[0]
    pixels, labels, ids = split_arrays(load_dataset(data), "val", first.spec.input_size)
    if len(pixels) == 0:
        raise PosterGenreError(f"{data} has no usable poster in its val split: nothing to calibrate on")
    spec = ensemble_spec(first.spec, len(members))
    network = combine_networks([member.network for member in members], spec)
    round_weights(network)
    uncalibrated = TrainedModel.uncalibrated(spec, network, first.priors, {})
    ensemble = with_calibration(uncalibrated, pixels, labels)
    result, probabilities = evaluate_model(ensemble, pixels, labels, split="val")
    ensemble = replace(ensemble, provenance=provenance_of(members, len(pixels), result))
    with locked(folder):
        check_new(folder)  # again: another run may have ended in it meanwhile
        save_model(ensemble, folder / MODEL)
        write_report(folder / REPORT, ensemble, result, labels, probabilities, posters=pixels, ids=ids)
    return ensemble, result


def check_members(files: Sequence[PathLike], members: Sequence[TrainedModel]) -> None:
    """UsageError unless the models can be members of one ensemble.

    They must be two or more of one build, trained on the same posters from different random weights.
    """
    if len(members) < 2:
        raise UsageError(f"an ensemble needs at least 2 model files, got {len(members)}")
    first, seen = members[0], dict[str, PathLike]()
    for file, member in zip(files, members, strict=True):
        if not is_single_network(member.spec):
            raise UsageError(
                f"{file} is not a single compact network: only those can be members of an ensemble"
            )
        if member.spec.description() != first.spec.description():
            raise UsageError(
                f"{file} has another architecture or input than {files[0]}: combine networks of one recipe"
            )
        posters = member.provenance.get("data_fingerprint")
        if not posters or not isinstance(posters, str):
            raise UsageError(
                f"{file} does not record which posters it was trained on, so val may not be unseen by it: "
                "combine models of 'poster-genre train'"
            )
        if posters != first.provenance.get("data_fingerprint"):
            raise UsageError(
                f"{file} was trained on other posters than {files[0]}: val would not be unseen by all"
            )
        weights = model_fingerprint(member)
        if weights in seen:
            raise UsageError(f"{file} holds the same weights as {seen[weights]}: train with another --seed")
        seen[weights] = file


def provenance_of(members: Sequence[TrainedModel], val_posters: int, result: Scores) -> dict[str, Any]:
    """The members' provenance, and under the same names that of the ensemble."""
    origins = [member.provenance for member in members]
    return {
        **origins[0],
        "command": " && ".join(str(origin.get("command", "")) for origin in origins),
        "seed": [origin.get("seed") for origin in origins],
        "val_posters": val_posters,
        "history": mean_history([member.history for member in members]),
        "val": scalars(result),
        "members": [
            {name: origin.get(name) for name in ("command", "seed", "history", "val")} for origin in origins
        ],
    }
