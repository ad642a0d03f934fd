"""``scaling``: training throughput of ``blocks4`` against batch size, image size and threads."""

from __future__ import annotations

import dataclasses
import functools
import os

from benchmarks.harness import Case, Row, Settings
from benchmarks.networks import NETWORKS
from benchmarks.train_and_infer import FAST_PEERS, training

BATCHES = (1, 4, 8, 16, 128)
# (height, width): images in the batch, so that all batches cost about the same
SIZES = {(48, 32): 128, (96, 64): 64, (144, 96): 32, (288, 192): 8}
BATCH = 32
SECONDS = 2.5


def cases() -> list[Case]:
    """A case for each batch size, image size and number of threads."""
    result = []
    for batch in BATCHES:
        name = f"scaling/batch/{batch}"
        result.append(Case(name, functools.partial(_measure, name, batch=batch), quick=batch in (8,)))
    for size, batch in SIZES.items():
        name = f"scaling/size/{size[0]}x{size[1]}"
        result.append(Case(name, functools.partial(_measure, name, batch=batch, size=size)))
    for threads in sorted({1, 2, _cores()}):
        name = f"scaling/threads/{threads}"
        result.append(Case(name, functools.partial(_measure, name, threads=threads), quick=threads == 1))
    return result


def _cores() -> int:
    return os.cpu_count() or 1


def _measure(
    name: str,
    settings: Settings,
    *,
    batch: int = BATCH,
    size: tuple[int, int] | None = None,
    threads: int | None = None,
) -> Row:
    if threads is not None:
        settings = dataclasses.replace(settings, threads=threads)
    network = NETWORKS["blocks4"]
    result = training(name, network, batch, list(FAST_PEERS), settings, input_size=size, seconds=SECONDS)
    height, width = size or network.input_size
    return result | {"batch": batch, "input_size": [height, width]}
