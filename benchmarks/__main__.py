"""``python -m benchmarks [name ...] [--quick] [--json FILE] [--plot FILE] [--threads N]``"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import steps
from benchmarks.harness import Case, Row, Settings, note


def all_cases() -> list[Case]:
    return steps.cases()


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
    return f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def as_text(row: Row) -> str:
    peers = "  ".join(f"{peer} {value:g}" for peer, value in row["peers"].items() if value is not None)
    line = f"{row['name']:<34} {row['ours']:>9g} {row['unit']:<9} {peers}"
    if row["ratio_best_eager"] is not None:
        lo, hi = row["ratio_spread"]
        line += f"  ratio {row['ratio_best_eager']:.2f} [{lo:.2f}, {hi:.2f}]"
    return line


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
    rows = []
    for case in cases:
        row = case.measure(settings)
        rows.append(row)
        print(as_text(row), flush=True)
        if chosen.json:
            chosen.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
