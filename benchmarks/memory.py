"""Peak memory of a training step or an inference, in a process for each library.

It is the peak resident set less the resident set after the imports.

``python -m benchmarks.memory train blocks4 32 ours 2`` measures one and prints the megabytes (10**6 bytes).
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import Settings, note

REPEATS = 3
STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")


def peaks(work: str, network: str, batch: int, threads: int) -> dict[str, float] | None:
    """Megabytes for ours and each PyTorch layout, or None if the system does not report it."""
    from benchmarks.peers import missing

    if not STATUS.exists():
        note("  peak memory is read from /proc, which this system does not have")
        return None
    sides = ["ours", *(p for p in ("torch_nchw", "torch_channels_last") if missing(p) is None)]
    return {side: peak(work, network, batch, side, threads) for side in sides}


def peak(work: str, network: str, batch: int, side: str, threads: int) -> float:
    """Megabytes for one side, measured in a new process."""
    command = [sys.executable, "-m", "benchmarks.memory", work, network, str(batch), side, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise ChildProcessError(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    return float(done.stdout.split()[-1])


def measure(work: str, network_name: str, batch: int, side: str, threads: int) -> float:
    """Peak resident megabytes of this process during ``REPEATS`` steps, less those after the imports."""
    from benchmarks.networks import NETWORKS
    from benchmarks.peers import Ours, Torch, use_threads
    from minicnn.kernels.runtime.thread_count import set_threads

    # Loaded before the measurement, since minicnn imports Numba with its first kernel.
    if side == "ours":
        importlib.import_module("numba")
        set_threads(threads)
    else:
        importlib.import_module("benchmarks.convert")
        use_threads(Settings(threads))
    before = _status("VmRSS")
    RESET.write_text("5")  # resets the peak (man 5 proc)
    network = NETWORKS[network_name]
    x, y = network.batch(batch)
    model = network.model()
    participant = Ours(network, model, x, y) if side == "ours" else Torch(network, model, x, y, side)
    if work == "infer" and isinstance(participant, Torch):
        participant.module.eval()
    for _ in range(REPEATS):
        participant.step() if work == "train" else participant.infer()
    return _status("VmHWM") - before


def _status(key: str) -> float:
    """A line of /proc/self/status in megabytes; the kernel writes kibibytes."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024e-6
    raise ValueError(f"{STATUS} has no line {key}")


if __name__ == "__main__":
    work, network, batch, side, threads = sys.argv[1:]
    print(round(measure(work, network, int(batch), side, int(threads)), 1))
