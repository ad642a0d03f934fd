"""Run the trials of ``ideas.py``, and write a row of ``log.csv`` and one of ``by_genre.csv`` for each.

    python -m benchmarks.experiments.run --data PATH [--only NAME ...] [--seeds 0 1] [--list]

Runs that are in the log are skipped, so the command can be stopped and repeated at any time.
"""

from __future__ import annotations

import argparse
import csv
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

LOG = Path(__file__).with_name("log.csv")
BY_GENRE = "by_genre.csv"  # beside the log: the average precision of every genre on val
WRITING = threading.Lock()
COLUMNS = (
    "idea",
    "change",
    "seed",
    "epochs",
    "height",
    "width",
    "params",
    "seconds",
    "auc",
    "map",
    "micro_ap",
    "top1",
    "hit3",
    "bce",
    "train_loss",
    "train_auc",
    "raw_auc",
    "plain_auc",
    "engine",
    "command",
)


def read_log(path: Path = LOG) -> list[dict[str, str]]:
    """The rows of the log; none if there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append(path: Path, row: dict[str, Any], columns: Sequence[str] = COLUMNS) -> None:
    """Append a row. Numbers get four decimals, which is finer than the noise between seeds."""
    with WRITING, path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    """Run the trials that the command line names and the log lacks."""
    parser = argparse.ArgumentParser(
        description="Run the trials that the log lacks.",
        epilog="example: python -m benchmarks.experiments.run --data posters --only base squeeze --seeds 0 1",
    )
    parser.add_argument("--data", help="folder or zip with train.csv and Images")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these runs, such as squeeze+square")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], help="for --only")
    parser.add_argument("--engine", choices=("twin", "minicnn"), default="twin")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--save", type=Path, help="folder for val's probabilities, one .npy a run")
    parser.add_argument("--list", action="store_true", help="print the ideas and exit")
    arguments = parser.parse_args()

    from benchmarks.experiments.ideas import IDEAS, SCREEN, SINGLES, ideas_of

    if arguments.list:
        print("\n".join(f"{name:<16} {idea.change}" for name, idea in IDEAS.items()))
        return
    if arguments.data is None:
        parser.error("--data PATH is needed to run a trial")
    jobs = [(name, seed) for name in arguments.only or () for seed in arguments.seeds] or SCREEN + SINGLES
    for idea in {idea for name, _ in jobs for idea in ideas_of(name)}:
        if idea not in IDEAS:
            parser.error(f"there is no idea {idea!r}; --list prints all of them")
    done = {(row["idea"], int(row["seed"]), row["engine"]) for row in read_log(arguments.log)}
    jobs = [job for job in dict.fromkeys(jobs) if (*job, arguments.engine) not in done]
    if not jobs:
        return
    # Two runs at the same time on one thread each take less time than two in sequence on two threads.
    at_once = min(len(jobs), arguments.threads) if arguments.engine == "twin" else 1
    threads = max(arguments.threads // at_once, 1)
    with ThreadPoolExecutor(at_once) as pool:
        for future in [pool.submit(run, name, seed, threads, arguments) for name, seed in jobs]:
            future.result()


def run(name: str, seed: int, threads: int, arguments: argparse.Namespace) -> None:
    """One trial with one seed on ``threads`` threads, and its row in the log."""
    import numpy as np
    import torch
    from torch import nn

    from benchmarks.experiments import library, twin
    from benchmarks.experiments.ideas import IDEAS, ideas_of, settings_of
    from benchmarks.experiments.posters import read_posters, score
    from minicnn import metrics
    from poster_genre.genres import GENRES

    settings = settings_of(name)
    torch.set_num_threads(threads)
    posters = read_posters(arguments.data, (settings.height, settings.width))

    def report(epoch: int, loss: float, average: nn.Module) -> None:
        """Print the loss, and every four epochs the scores on val."""
        text = f"{name} seed {seed} epoch {epoch}/{settings.epochs} loss {loss:.4f}"
        if epoch % 4 == 0 and epoch < settings.epochs:
            scores = score(posters.val_y, twin.predict(average, posters.val_x))
            text += f" auc {scores['auc']:.4f} map {scores['map']:.4f}"
        print(text, flush=True)

    if arguments.engine == "twin":
        numbers, probabilities = twin.train(settings, posters, seed, report)
    else:
        numbers, probabilities = library.train(settings, posters, seed, threads)
    command = f"python -m benchmarks.experiments.run --data PATH --only {name} --seeds {seed}"
    if arguments.engine != "twin":
        command += f" --engine {arguments.engine}"
    row = {
        "idea": name,
        "change": "; ".join(IDEAS[idea].change for idea in ideas_of(name)),
        "seed": seed,
        "epochs": settings.epochs,
        "height": settings.height,
        "width": settings.width,
        **numbers,
        "engine": arguments.engine,
        "command": command,
    }
    append(arguments.log, row)
    precision = metrics.average_precision_by_column(posters.val_y, probabilities)
    key = {"idea": name, "seed": seed, "engine": arguments.engine}
    append(
        arguments.log.with_name(BY_GENRE),
        key | dict(zip(GENRES, map(float, precision), strict=True)),
        (*key, *GENRES),
    )
    if arguments.save is not None:
        arguments.save.mkdir(parents=True, exist_ok=True)
        np.save(arguments.save / f"{name}-{seed}.npy", probabilities)
    printed = {k: round(v, 4) if isinstance(v, float) else v for k, v in numbers.items()}
    print(f"{name} seed {seed}: {printed}", flush=True)


if __name__ == "__main__":
    main()
