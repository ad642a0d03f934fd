"""An ensemble: several networks that were trained apart, as one whose logits are the mean of theirs.

Networks of one architecture that start from different random weights make different errors, which averaging
reduces
(Lakshminarayanan et al. 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles").
The mean of their logits needs no code of its own. With f_k the embedding of member k, W_k and b_k its last
layer, and K members:

    mean over k of (W_k f_k + b_k)  =  [W_1 ... W_K] / K  [f_1 ... f_K]  +  mean over k of b_k

is again one dense layer on one embedding: the members' side by side. So the ensemble is an ordinary
``compact`` with several backbones in a ``Parallel``, and all functions on networks take it: prediction in
one pass, heat maps, embeddings, the model file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minicnn.containers import Sequential
from minicnn.serialize import load_model_arrays, model_arrays
from poster_genre.model.networks import build_network
from poster_genre.model.spec import ModelSpec

LAST_WEIGHT, LAST_BIAS = "parameter/genres.weight", "parameter/genres.bias"


def ensemble_spec(member: ModelSpec, members: int) -> ModelSpec:
    """The specification of an ensemble of networks that are built as ``member`` says."""
    return replace(member, arguments={**member.arguments, "members": members})


def is_single_network(spec: ModelSpec) -> bool:
    """Whether this is one ``compact`` network: only those can be members of an ensemble."""
    return spec.name == "compact" and spec.arguments.get("members", 1) == 1


def combine_networks(networks: Sequence[Sequential], spec: ModelSpec) -> Sequential:
    """One network, built as the ensemble's ``spec`` says, whose logits are the mean of the networks'."""
    ensemble = build_network(spec, rng=0)
    arrays: dict[str, np.ndarray] = {}
    weights, biases = [], []
    for number, network in enumerate(networks, start=1):
        member = model_arrays(network)
        weights.append(member.pop(LAST_WEIGHT))
        biases.append(member.pop(LAST_BIAS))
        for name, array in member.items():
            kind, _, rest = name.partition("/")
            arrays[f"{kind}/members.member{number}.{rest}"] = array
    arrays[LAST_WEIGHT] = np.concatenate(weights) / len(networks)
    arrays[LAST_BIAS] = np.mean(biases, axis=0)
    load_model_arrays(ensemble, arrays)
    return ensemble


def round_weights(network: Sequential) -> None:
    """Round every weight matrix to float16 (11 significant bits), in place, which halves the model file.

    Biases, norms and running statistics stay as they are: they are few, and small differences count there.
    """
    for parameter in network.parameters().values():
        if parameter.data.ndim > 1:
            parameter.data[...] = parameter.data.astype(np.float16)


def mean_history(histories: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The members' curves as one: each number's mean over the members, epoch by epoch.

    Empty where the members trained for different numbers of epochs.
    """
    if len({len(rows) for rows in histories}) > 1:
        return []
    return [
        {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for rows in zip(*histories, strict=True)
    ]
