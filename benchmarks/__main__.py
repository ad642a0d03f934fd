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

from benchmarks import data, layers, scaling, startup, steps
from benchmarks.harness import Case, Row, Settings, note, rounded
from benchmarks.plot import bar_chart

SLOW_START = 2.0  # seconds of a first repetition that are worth a word


def all_cases() -> list[Case]:
    return [*layers.cases(), *steps.cases(), *scaling.cases(), *startup.cases(), *data.cases()]


def selected(cases: Sequence[Case], names: Sequence[str], quick: bool) -> list[Case]:
    """The cases that a name equals or begins, up to a "/"; all of them without names.

    ``quick`` leaves those of a quick run, and whatever was named in full. Raises ValueError for a name that
    fits none.
    """
    for name in names:
        if not any(_fits(case.name, name) for case in cases):
            works = sorted({case.name.split("/")[0] for case in cases})
            raise ValueError(f"there is no benchmark {name!r}; the works are {', '.join(works)}")
    return [
        case
        for case in cases
        if (not names or any(_fits(case.name, name) for name in names))
        and (case.quick or not quick or case.name in names)
    ]


def _fits(case: str, name: str) -> bool:
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
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def as_text(row: Row) -> str:
    """A row in a line or two: ours, the ratio to the better eager layout with its spread, and every peer."""
    line = f"{row['name']:<48} {row['ours']:>9g} {row['unit']:<9}"
    if row["ratio_best_eager"] is not None:
        low, high = row["ratio_spread"]
        line += f" {row['ratio_best_eager']:>6.2f} [{low:.2f}, {high:.2f}]"
    asides = [f"{peer} {value:g} ({row['ratios'][peer]:.2f})" for peer, value in row["peers"].items()]
    if "share_of_sgemm_peak" in row:
        asides.append(f"{row['share_of_sgemm_peak']:.0%} of the sgemm peak")
    if "relative_error" in row:
        asides.append("error " + ", ".join(f"{side} {e:.1e}" for side, e in row["relative_error"].items()))
    if row["peak_rss_mb"]:
        asides.append("MB " + ", ".join(f"{side} {mb:.0f}" for side, mb in row["peak_rss_mb"].items()))
    slow = {side: s for side, s in row.get("warm_up_s", {}).items() if s > SLOW_START}
    if slow:
        asides.append("first time " + ", ".join(f"{side} {s:.0f} s" for side, s in slow.items()))
    return "\n".join([line, *(["    " + "; ".join(asides)] if asides else [])])


def warn_of_company() -> None:
    """PyTorch's threads wait for each other at every loop, ours draw from one list of tasks: where other work
    takes a core, its numbers suffer more than ours, and the ratios flatter us.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.25 * (os.cpu_count() or 1):
        note(f"this machine is at work already (load {load:.1f}): ratios measured now flatter minicnn")


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def targets(rows: Sequence[Row]) -> list[str]:
    """The geometric mean over the frozen networks of a work at one batch size, for each that is complete."""
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
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="minicnn beside its peers.")
    parser.add_argument("names", nargs="*", metavar="name", help="a work or a prefix, such as train/blocks4")
    parser.add_argument("--quick", action="store_true", help="fewer cases, shorter blocks; under 3 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as a JSON list")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a bar chart of the ratios")
    parser.add_argument("--threads", type=int, metavar="N", help="for both sides (default: the cores)")
    chosen = parser.parse_args(arguments)
    threads = chosen.threads if chosen.threads is not None else len(os.sched_getaffinity(0))
    settings = Settings(threads, chosen.quick)
    try:
        cases = selected(all_cases(), chosen.names, chosen.quick)
    except ValueError as error:
        parser.error(str(error))
    note(f"{machine()}; {settings.threads} threads")
    warn_of_company()
    rows: list[Row] = []
    try:
        measure(cases, settings, rows, chosen.json)
    finally:
        for line in targets(rows):
            print(line)
        if chosen.plot and any(row["ratio_best_eager"] is not None for row in rows):
            bar_chart(rows, chosen.plot, f"minicnn beside PyTorch: {machine()}")
    return 0 if len(rows) == len(cases) else 1


def measure(cases: Sequence[Case], settings: Settings, rows: list[Row], file: Path | None) -> None:
    """Append a row for each case to ``rows``, and write them all to ``file`` after each. A case that fails,
    for whatever reason, is named with the reason; those after it are measured all the same.
    """
    expected = sum(case.seconds for case in cases) / (3 if settings.quick else 1)
    start, done, here = time.perf_counter(), 0.0, f"{machine()}; {date.today():%d %B %Y}"
    for number, case in enumerate(cases, start=1):
        spent = time.perf_counter() - start
        # What was spent so far corrects the estimate of what is to come, once there is enough of it.
        pace = spent / done if done > 0.1 * expected else 1.0
        left = (expected - done) * pace
        note(f"[{number}/{len(cases)}, about {left / 60:.0f} min left] {case.name}")
        try:
            row = case.measure(settings)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            note(
                f"  {case.name} was not measured: {type(error).__name__}: {error} "
                f"({Path(where.filename).name}, line {where.lineno})"
            )
        else:
            row |= {"took_s": rounded(time.perf_counter() - start - spent), "machine": here}
            rows.append(row)
            print(as_text(row), flush=True)
            if file:
                write(rows, file)
        done += case.seconds / (3 if settings.quick else 1)


def write(rows: Sequence[Row], file: Path) -> None:
    """Put the rows into ``file`` in one step: whoever reads it finds whole rows, whenever the run ends."""
    unfinished = file.with_name(file.name + ".part")
    unfinished.write_text(json.dumps(rows, indent=1) + "\n")
    os.replace(unfinished, file)


if __name__ == "__main__":
    sys.exit(main())
