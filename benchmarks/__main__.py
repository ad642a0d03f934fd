"""``python -m benchmarks [name ...] [--quick] [--json FILE] [--plot FILE] [--threads N]``"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import data, layers, scaling, startup, train_and_infer
from benchmarks.harness import Case, Row, Settings, note, rounded
from benchmarks.plot import bar_chart

SLOW_START = 2.0  # a first repetition of more seconds is reported


def all_cases() -> list[Case]:
    """The cases of every work."""
    return [*layers.cases(), *train_and_infer.cases(), *scaling.cases(), *startup.cases(), *data.cases()]


def selected(cases: Sequence[Case], names: Sequence[str], quick: bool) -> list[Case]:
    """The cases whose name, or its beginning up to a "/", is in ``names``; without names all of them.

    With ``quick`` only those of a quick run and those whose full name is given. ValueError for a name that
    matches no case.
    """
    for name in names:
        if not any(_matches(case.name, name) for case in cases):
            works = sorted({case.name.split("/")[0] for case in cases})
            raise ValueError(f"there is no benchmark {name!r}; the works are {', '.join(works)}")
    return [
        case
        for case in cases
        if (not names or any(_matches(case.name, name) for name in names))
        and (case.quick or not quick or case.name in names)
    ]


def _matches(case: str, name: str) -> bool:
    return case == name or case.startswith(name.rstrip("/") + "/")


def machine() -> str:
    """Processor, cores and versions in one line."""
    versions = []
    for name, package in (("NumPy", "numpy"), ("Numba", "numba"), ("PyTorch", "torch")):
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{name} {version(package)}")
    system = f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return ", ".join([system, *versions])


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def as_text(row: Row) -> str:
    """A row in one or two lines: ours, the ratio to the better eager layout with its spread, and peers."""
    line = f"{row['name']:<48} {row['ours']:>9g} {row['unit']:<9}"
    if row["ratio_best_eager"] is not None:
        low, high = row["ratio_spread"]
        line += f" {row['ratio_best_eager']:>6.2f} [{low:.2f}, {high:.2f}]"
    details = [f"{peer} {value:g} ({row['ratios'][peer]:.2f})" for peer, value in row["peers"].items()]
    if "share_of_sgemm_peak" in row:
        details.append(f"{row['share_of_sgemm_peak']:.0%} of the sgemm peak")
    if "relative_error" in row:
        details.append("error " + ", ".join(f"{side} {e:.1e}" for side, e in row["relative_error"].items()))
    if row["peak_rss_mb"]:
        details.append("MB " + ", ".join(f"{side} {mb:.0f}" for side, mb in row["peak_rss_mb"].items()))
    slow = {side: s for side, s in row.get("warm_up_s", {}).items() if s > SLOW_START}
    if slow:
        details.append("first time " + ", ".join(f"{side} {s:.0f} s" for side, s in slow.items()))
    return "\n".join([line, *(["    " + "; ".join(details)] if details else [])])


def warn_if_busy() -> None:
    """Print a note if the machine has other work.

    PyTorch's threads wait for each other at every loop, minicnn's take tasks from one list: if other work
    takes a core, PyTorch slows down more, and the ratios are too favourable for minicnn.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.25 * (os.cpu_count() or 1):
        note(f"this machine is busy (load {load:.1f}): ratios measured now are too favourable for minicnn")


def geometric_mean(values: Sequence[float]) -> float:
    """The exponential of the mean logarithm."""
    return math.exp(sum(map(math.log, values)) / len(values))


def targets(rows: Sequence[Row]) -> list[str]:
    """Geometric means over the frozen networks, a line for each work and batch size with all three rows."""
    frozen = ("blocks4", "original", "vgg11")
    lines = []
    by_name = {row["name"]: row["ratio_best_eager"] for row in rows}
    for work, batch in (("train", 32), ("infer", 32), ("infer", 1)):
        ratios = [by_name.get(f"{work}/{network}/b{batch}") for network in frozen]
        if all(ratio is not None for ratio in ratios):
            mean = geometric_mean([float(ratio) for ratio in ratios if ratio is not None])
            lines.append(f"{work} at batch {batch}: {mean:.2f} in geometric mean over {', '.join(frozen)}")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the cases that the command line names; 0, or 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="minicnn beside its peers.")
    parser.add_argument("names", nargs="*", metavar="name", help="a work or a prefix, such as train/blocks4")
    parser.add_argument("--quick", action="store_true", help="fewer cases, shorter blocks; under 3 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as a JSON list")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a bar chart of the ratios")
    parser.add_argument("--threads", type=int, metavar="N", help="for both sides (default: the cores)")
    options = parser.parse_args(arguments)
    threads = options.threads if options.threads is not None else len(os.sched_getaffinity(0))
    settings = Settings(threads, options.quick)
    try:
        cases = selected(all_cases(), options.names, options.quick)
    except ValueError as error:
        parser.error(str(error))
    note(f"{machine()}; {settings.threads} threads")
    warn_if_busy()
    rows: list[Row] = []
    try:
        measure(cases, settings, rows, options.json)
    finally:
        for line in targets(rows):
            print(line)
        if options.plot and any(row["ratio_best_eager"] is not None for row in rows):
            bar_chart(rows, options.plot, f"minicnn beside PyTorch: {machine()}")
    return 0 if len(rows) == len(cases) else 1


def measure(cases: Sequence[Case], settings: Settings, rows: list[Row], file: Path | None) -> None:
    """Append a row for each case to ``rows``, and write all of them to ``file`` after each case.

    A case that fails is reported with the reason, and the cases after it are measured.
    """
    expected = sum(case.seconds for case in cases) / (3 if settings.quick else 1)
    start, done, machine_and_date = time.perf_counter(), 0.0, f"{machine()}; {date.today():%d %B %Y}"
    for number, case in enumerate(cases, start=1):
        spent = time.perf_counter() - start
        # The time spent so far corrects the estimate of the time left, once there is enough of it.
        pace = spent / done if done > 0.1 * expected else 1.0
        left = (expected - done) * pace
        note(f"[{number}/{len(cases)}, about {left / 60:.0f} min left] {case.name}")
        try:
            row = case.measure(settings)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            note(
                f"  {case.name} was not measured: {type(error).__name__}: {error} "
                f"({Path(frame.filename).name}, line {frame.lineno})"
            )
        else:
            row |= {"took_s": rounded(time.perf_counter() - start - spent), "machine": machine_and_date}
            rows.append(row)
            print(as_text(row), flush=True)
            if file:
                write(rows, file)
        done += case.seconds / (3 if settings.quick else 1)


def write(rows: Sequence[Row], file: Path) -> None:
    """Replace ``file`` by the rows in one step, so that it is complete whenever the run is interrupted."""
    unfinished = file.with_name(file.name + ".part")
    unfinished.write_text(json.dumps(rows, indent=1) + "\n")
    os.replace(unfinished, file)


if __name__ == "__main__":
    sys.exit(main())
