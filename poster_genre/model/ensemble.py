"""Several networks that were trained apart, joined into one that answers with the mean of their logits.

Networks of one build that start from different random weights err differently; the mean errs less
(Lakshminarayanan et al. 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles").
The mean of their logits needs no code of its own. With f_k the embedding of member k, W_k and b_k its last
layer, and K members:

    mean over k of (W_k f_k + b_k)  =  [W_1 ... W_K] / K  [f_1 ... f_K]  +  mean over k of b_k

is again one dense layer on one embedding: the members' side by side. So the joined network is an ordinary
``compact`` with several trunks in a ``Parallel``, and everything that reads a network reads it: prediction in
one pass, heat maps, embeddings, the model file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minicnn.containers import Sequential
from minicnn.serialize import load_model_arrays, model_arrays
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.evaluation.evaluate import evaluate_classifier
from poster_genre.model.model_file import fingerprint, network_of
from poster_genre.model.networks import ModelSpec, build_network
from poster_genre.training.train import MODEL, REPORT, check_folder, split_arrays

LAST_LAYER = ("parameter/genres.weight", "parameter/genres.bias")


def join(
    files: Sequence[str | Path], data: str | Path, out: str | Path
) -> tuple[PosterGenreClassifier, dict[str, Any]]:
    """Join the model files and write OUT/model.npz and OUT/report.html.

    The weight matrices are rounded to float16; then the data's val split calibrates the joined network and
    sets its thresholds, as in training. Returns the classifier and its evaluation on val. UsageError where
    OUT is not empty or the files do not fit together.
    """
    from poster_genre.data.dataset import load_dataset
    from poster_genre.evaluation.report.report import write_report

    folder = Path(out)
    check_folder(folder, resume=False)
    members = [PosterGenreClassifier.load(file) for file in files]
    check_members(files, members)
    first = members[0]
    posters, labels, ids = split_arrays(load_dataset(data), "val", first.spec_.input_size)
    if len(posters) == 0:
        raise PosterGenreError(f"{data} has no usable poster in its val split: nothing to calibrate on")
    spec = replace(first.spec_, arguments={**first.spec_.arguments, "members": len(members)})
    joined = PosterGenreClassifier(spec)
    joined.spec_, joined.genres_, joined.priors_ = spec, first.genres_, first.priors_
    joined.model_ = join_networks([member.model_ for member in members], spec)
    round_weights(joined.model_)
    joined.calibrate(posters, labels)
    result, probabilities = evaluate_classifier(joined, posters, labels, split="val")
    joined.history_ = mean_history([member.history_ for member in members])
    joined.provenance_ = {
        **first.provenance_,
        "command": " && ".join(str(member.provenance_.get("command", "")) for member in members),
        "seed": [member.provenance_.get("seed") for member in members],
        "val_posters": len(posters),
        "history": joined.history_,
        "val": {k: v for k, v in result.items() if not isinstance(v, dict)},
        "members": [
            {name: member.provenance_.get(name) for name in ("command", "seed", "history", "val")}
            for member in members
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    joined.save(folder / MODEL)
    write_report(folder / REPORT, joined, result, labels, probabilities, posters=posters, ids=ids)
    return joined, result


def check_members(files: Sequence[str | Path], members: Sequence[PosterGenreClassifier]) -> None:
    """UsageError unless the classifiers can be joined: two or more of one build, trained on the same posters
    from different random weights.
    """
    if len(members) < 2:
        raise UsageError(f"joining needs at least 2 model files, got {len(members)}")
    first, seen = members[0], dict[str, str | Path]()
    for file, member in zip(files, members, strict=True):
        if member.spec_.name != "compact" or member.spec_.arguments.get("members", 1) != 1:
            raise UsageError(f"{file} is not a single compact network: only those can be joined")
        if network_of(member.spec_) != network_of(first.spec_):
            raise UsageError(
                f"{file} has another architecture or input than {files[0]}: join networks of one recipe"
            )
        posters = member.provenance_.get("data_fingerprint")
        if posters != first.provenance_.get("data_fingerprint"):
            raise UsageError(
                f"{file} was trained on other posters than {files[0]}: val would not be unseen by all"
            )
        weights = fingerprint(member)
        if weights in seen:
            raise UsageError(f"{file} holds the same weights as {seen[weights]}: train with another --seed")
        seen[weights] = file


def join_networks(networks: Sequence[Sequential], spec: ModelSpec) -> Sequential:
    """One network, built as ``spec`` says, whose logits are the mean of the networks' logits."""
    network = build_network(spec, rng=0)
    arrays: dict[str, np.ndarray] = {}
    weights, biases = [], []
    for number, member in enumerate(networks, start=1):
        own = model_arrays(member)
        weight, bias = (own.pop(name) for name in LAST_LAYER)
        weights.append(weight)
        biases.append(bias)
        for name, array in own.items():
            kind, _, rest = name.partition("/")
            arrays[f"{kind}/members.member{number}.{rest}"] = array
    arrays[LAST_LAYER[0]] = np.concatenate(weights) / len(networks)
    arrays[LAST_LAYER[1]] = np.mean(biases, axis=0)
    load_model_arrays(network, arrays)
    return network


def round_weights(network: Sequential) -> None:
    """Round every weight matrix to what float16 can hold (11 bits), which halves the model file.

    Biases, norms and running statistics stay as they are: they are few, and small ones count there.
    """
    for parameter in network.parameters().values():
        if parameter.data.ndim > 1:
            parameter.data[...] = parameter.data.astype(np.float16)


def mean_history(histories: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The members' curves as one: each number's mean over the members, epoch by epoch.

    Empty where some trained longer than others, for then there is no such curve.
    """
    if len({len(rows) for rows in histories}) > 1:
        return []
    return [
        {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for rows in zip(*histories, strict=True)
    ]
