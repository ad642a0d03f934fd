"""``train`` and ``infer``: images a second of whole training steps and of predictions, network by network.

A training step is forward, loss, backward and Adam; an inference is one forward pass. Both sides hold the
same weights and the same batch, and the losses and gradients (or the outputs) are compared before the
timing.
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
    comparison_row,
    note,
    rounded,
    sgemm_peak,
    take_turns,
    warm_up,
)
from benchmarks.networks import NETWORKS, Network, training_flops
from benchmarks.peers import Ours, Torch, available, randomize_norms, use_threads, without_dropout

BATCHES = (1, 8, 32, 64)
# PyTorch compiles for half a minute a network, and the NumPy backend takes seconds a step: both are measured
# at one batch size, and compilation in training only.
SLOW_PEERS_BATCH = 32
SLOW_PEERS = {"train": ("torch_compile", "numpy"), "infer": ("numpy",)}
FAST_PEERS = ("torch_nchw", "torch_channels_last")
OUTPUT_TOLERANCE = 1e-3
# PyTorch's channels_last batch norm sums in an order that loses digits if a channel has a million numbers
# (``layers/batchnorm_16_large`` shows it), and deep networks amplify the difference. Its gradients are
# reported; minicnn's must agree with those of NCHW.
LOSS_TOLERANCE = {"torch_nchw": 1e-3, "torch_channels_last": 1e-2}
GRADIENT_TOLERANCE = {"torch_nchw": 5e-2, "torch_channels_last": 1.0}

# Seconds of a case, by work and whether it includes the slow peers and the measurement of memory.
SECONDS = {("train", False): 9.0, ("train", True): 75.0, ("infer", False): 5.5, ("infer", True): 18.0}

Size = tuple[int, int]


def cases() -> list[Case]:
    """A case for each work, network and batch size."""
    result = []
    for work, measure in (("train", training), ("infer", inference)):
        for network in NETWORKS.values():
            for batch in BATCHES:
                if (work, network.name, batch) == ("train", "original", 1):
                    # Its batch norms over (N, 128) would have one number a channel, and cannot be trained.
                    continue
                quick = network.name == "blocks4" and batch == SLOW_PEERS_BATCH
                quick = quick or (work == "infer" and network.name == "blocks4" and batch == 1)
                run = functools.partial(_case, measure, work, network, batch)
                seconds = SECONDS[work, batch == SLOW_PEERS_BATCH]
                result.append(Case(f"{work}/{network.name}/b{batch}", run, quick, seconds))
    return result


def _case(measure: Callable[..., Row], work: str, network: Network, batch: int, settings: Settings) -> Row:
    peers = list(FAST_PEERS)
    if batch == SLOW_PEERS_BATCH and network.name != "shipped" and not settings.quick:
        peers += SLOW_PEERS[work]
    result = measure(f"{work}/{network.name}/b{batch}", network, batch, peers, settings)
    if batch == SLOW_PEERS_BATCH:
        try:
            result["peak_rss_mb"] = memory.peaks(work, network.name, batch, settings.threads)
        except ChildProcessError as error:
            note(f"  no peak memory: {error}")
    return result


def training(
    name: str,
    network: Network,
    batch: int,
    peers: list[str],
    settings: Settings,
    input_size: Size | None = None,
    seconds: float = 5.0,
) -> Row:
    """Images a second of training steps, minicnn's and each peer's."""
    use_threads(settings)
    model = network.model(input_size=input_size)
    randomize_norms(model)
    x, y = network.batch(batch, input_size=input_size)
    participants = available(peers)
    differences = _compare_gradients(name, network, x, y, participants, input_size)
    sides = [Side("ours", Ours(network, model, x, y).step)]
    for peer in participants:
        if peer == "numpy":
            plain = network.model(input_size=input_size)
            sides.append(Side(peer, Ours(network, plain, x, y, backend="numpy").step, rounds=1))
        else:
            sides.append(Side(peer, Torch(network, model, x, y, peer).step))
    sides, started = _started(sides)
    times = take_turns(sides, settings.budget(seconds))
    result = comparison_row(name, "images/s", times, work=batch, threads=settings.threads)
    gflops = result["ours"] * training_flops(model, input_size or network.input_size) * 1e-9
    result["gflops"] = rounded(gflops)
    result["share_of_sgemm_peak"] = rounded(gflops / sgemm_peak(settings.threads))
    result["warm_up_s"] = {side: rounded(value) for side, value in started.items()}
    result["gradient_difference"] = differences
    return result


def inference(
    name: str,
    network: Network,
    batch: int,
    peers: list[str],
    settings: Settings,
    input_size: Size | None = None,
    seconds: float = 4.0,
) -> Row:
    """Images a second of forward passes with the running statistics and no recording."""
    use_threads(settings)
    model = network.model(input_size=input_size)
    randomize_norms(model)
    x, y = network.batch(batch, input_size=input_size)
    ours = Ours(network, model, x, y)
    sides, differences = [Side("ours", ours.infer)], {}
    started = warm_up(sides)
    expected = {"output": ours.infer()}
    for peer in available(peers):
        if peer == "numpy":
            sides.append(Side(peer, Ours(network, model, x, y, backend="numpy").infer, rounds=1))
            continue
        side = Torch(network, model, x, y, peer)
        side.module.eval()
        usable, took = _started([Side(peer, side.infer)])
        if not usable:
            continue
        sides += usable
        started |= took
        difference = check_agreement(f"{name}, {peer}", expected, {"output": side.infer()}, OUTPUT_TOLERANCE)
        differences[peer] = rounded(difference, 2)
    times = take_turns(sides, settings.budget(seconds))
    return comparison_row(
        name,
        "images/s",
        times,
        work=batch,
        threads=settings.threads,
        warm_up_s={side: rounded(value) for side, value in started.items()},
        output_difference=differences,
    )


def _started(sides: list[Side]) -> tuple[list[Side], dict[str, float]]:
    """Run each side once: the sides that could, and their seconds.

    A module that PyTorch cannot compile on this machine is left out, and the reason is printed.
    """
    usable: list[Side] = []
    seconds: dict[str, float] = {}
    for side in sides:
        try:
            seconds |= warm_up([side])
        except (RuntimeError, OSError) as error:
            if side.name != "torch_compile":
                raise
            note(f"  skipped {side.name}: {str(error).splitlines()[0]}")
            continue
        usable.append(side)
    return usable, seconds


def _compare_gradients(
    name: str, network: Network, x: np.ndarray, y: np.ndarray, peers: list[str], input_size: Size | None
) -> dict[str, float | None]:
    """The difference of minicnn's gradients from each peer's, without dropout, whose masks differ.

    The compiled module has no comparison of its own: its eager form is compared.
    """
    model = network.model(input_size=input_size)
    randomize_norms(model)
    differences: dict[str, float | None] = {}
    with without_dropout(model):
        ours = Ours(network, model, x, y)
        loss = {"loss": np.array(ours.backpropagate())}
        for peer in (peer for peer in peers if peer in FAST_PEERS):
            side = Torch(network, model, x, y, peer)
            theirs = {"loss": np.array(side.backpropagate())}
            check_agreement(f"{name}, {peer}", loss, theirs, LOSS_TOLERANCE[peer])
            differences[peer] = rounded(
                check_agreement(
                    f"{name}, {peer}", ours.gradients(), side.gradients(), GRADIENT_TOLERANCE[peer]
                ),
                2,
            )
    return differences
