"""``train`` and ``infer``: images a second of whole training steps and of predictions, network by network.

A training step is forward, loss, backward and Adam; an inference is one forward pass. Both sides hold the
same weights and the same batch, and the losses and gradients (or the outputs) are compared before the clock
starts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from benchmarks import memory
from benchmarks.harness import (
    Case,
    Row,
    Settings,
    Side,
    check_agreement,
    compared,
    note,
    rounded,
    sgemm_peak,
    take_turns,
    warm_up,
)
from benchmarks.networks import NETWORKS, Network, training_flops
from benchmarks.peers import Ours, Torch, lively, missing, use_threads, without_dropout

BATCHES = (1, 8, 32, 64)
# PyTorch compiles for half a minute a shape, and the NumPy backend takes seconds a step: one batch size each.
SLOW_PEERS_BATCH = 32
SLOW_PEERS = ("torch_compile", "numpy")
FAST_PEERS = ("torch_nchw", "torch_channels_last")
GRADIENT_TOLERANCE = 2e-2
OUTPUT_TOLERANCE = 1e-3

Size = tuple[int, int]


def cases() -> list[Case]:
    found = []
    for work, measure in (("train", training), ("infer", inference)):
        for network in NETWORKS.values():
            for batch in BATCHES:
                quick = network.name == "blocks4" and batch == SLOW_PEERS_BATCH
                quick = quick or (work == "infer" and network.name == "blocks4" and batch == 1)
                run = functools.partial(_case, measure, work, network, batch)
                found.append(Case(f"{work}/{network.name}/b{batch}", run, quick))
    return found


def _case(measure: Callable[..., Row], work: str, network: Network, batch: int, settings: Settings) -> Row:
    peers = list(FAST_PEERS)
    if batch == SLOW_PEERS_BATCH and network.name != "shipped" and not settings.quick:
        peers += SLOW_PEERS
    result = measure(f"{work}/{network.name}/b{batch}", network, batch, peers, settings)
    if batch == SLOW_PEERS_BATCH:
        result["peak_rss_mb"] = memory.peaks(work, network.name, batch, settings.threads)
    return result


def training(
    name: str,
    network: Network,
    batch: int,
    peers: list[str],
    settings: Settings,
    input_size: Size | None = None,
    seconds: float = 12.0,
) -> Row:
    """Images a second of training steps, ours and each peer's."""
    use_threads(settings)
    model = network.model(input_size=input_size)
    lively(model)
    x, y = network.batch(batch, input_size=input_size)
    take_part = present(peers)
    differs = _compare_gradients(name, network, x, y, take_part, input_size)
    sides = [Side("ours", Ours(network, model, x, y).step)]
    for peer in take_part:
        if peer == "numpy":
            plain = network.model(input_size=input_size)
            sides.append(Side(peer, Ours(network, plain, x, y, backend="numpy").step, rounds=1))
        else:
            sides.append(Side(peer, Torch(network, model, x, y, peer).step))
    started = warm_up(sides)
    times = take_turns(sides, settings.budget(seconds))
    result = compared(name, "images/s", times, work=batch, threads=settings.threads)
    gflops = result["ours"] * training_flops(model, input_size or network.input_size) * 1e-9
    result["gflops"] = rounded(gflops)
    result["share_of_sgemm_peak"] = rounded(gflops / sgemm_peak(settings.threads))
    result["warm_up_s"] = {side: rounded(value) for side, value in started.items()}
    result["largest_gradient_difference"] = rounded(differs, 2)
    return result


def inference(
    name: str,
    network: Network,
    batch: int,
    peers: list[str],
    settings: Settings,
    input_size: Size | None = None,
    seconds: float = 6.0,
) -> Row:
    """Images a second of forward passes with the running statistics and no recording."""
    use_threads(settings)
    model = network.model(input_size=input_size)
    lively(model)
    x, y = network.batch(batch, input_size=input_size)
    ours = Ours(network, model, x, y)
    sides, differs = [Side("ours", ours.infer)], 0.0
    started = warm_up(sides)
    expected = {"output": ours.infer()}
    for peer in present(peers):
        if peer == "numpy":
            sides.append(Side(peer, Ours(network, model, x, y, backend="numpy").infer, rounds=1))
            continue
        side = Torch(network, model, x, y, peer)
        side.module.eval()
        sides.append(Side(peer, side.infer))
        started |= warm_up(sides[-1:])
        found = check_agreement(f"{name}, {peer}", expected, {"output": side.infer()}, OUTPUT_TOLERANCE)
        differs = max(differs, found)
    times = take_turns(sides, settings.budget(seconds))
    return compared(
        name,
        "images/s",
        times,
        work=batch,
        threads=settings.threads,
        warm_up_s={side: rounded(value) for side, value in started.items()},
        largest_output_difference=rounded(differs, 2),
    )


def present(peers: list[str]) -> list[str]:
    """Those that can take part; the others are named, with the reason."""
    for peer in peers:
        reason = missing(peer)
        if reason is not None:
            note(f"  skipped {peer}: {reason}")
    return [peer for peer in peers if missing(peer) is None]


def _compare_gradients(
    name: str, network: Network, x: np.ndarray, y: np.ndarray, peers: list[str], input_size: Size | None
) -> float:
    """Loss and every gradient of ours beside PyTorch's; with dropout off, since each side draws its own.

    The compiled module is the eager one, whose gradients are compared.
    """
    model = network.model(input_size=input_size)
    lively(model)
    worst = 0.0
    with without_dropout(model):
        ours = Ours(network, model, x, y)
        losses = {"ours": ours.backpropagate()}
        for peer in peers:
            if peer not in FAST_PEERS:
                continue
            side = Torch(network, model, x, y, peer)
            losses[peer] = side.backpropagate()
            check_agreement(
                f"{name}, {peer}",
                {"loss": np.array(losses["ours"])},
                {"loss": np.array(losses[peer])},
                OUTPUT_TOLERANCE,
            )
            worst = max(
                worst,
                check_agreement(f"{name}, {peer}", ours.gradients(), side.gradients(), GRADIENT_TOLERANCE),
            )
    return worst
