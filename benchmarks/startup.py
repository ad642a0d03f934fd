"""``startup``: seconds from the shell's prompt to the answer, whole processes.

predict_first   ``poster-genre predict one.jpg`` on a machine that has compiled no kernel yet
predict_warm    the same afterwards, beside a PyTorch script with the same network and weights
predict_plain   the same if SciPy is not installed, as after ``pip install poster-genre``: Numba imports it
                if it is installed, which takes a third of a second
import_*        a process that imports one package, beside one that imports NumPy alone
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.harness import (
    Budget,
    Case,
    DisagreementError,
    Row,
    Settings,
    Side,
    comparison_row,
    take_turns,
)
from benchmarks.peers import available, missing, use_threads

ROOT = Path(__file__).parents[1]
TOLERANCE = 0.01
WITHOUT_SCIPY = """
import sys
sys.modules["scipy"] = None
from poster_genre.__main__ import main
sys.exit(main())
"""
BUDGET = Budget(seconds=12.0, least=3, most=7, block=0.0)
QUICK = Budget(seconds=5.0, least=2, most=3, block=0.0)


def cases() -> list[Case]:
    """A case for each of the commands and imports above."""
    rows = [
        Case("startup/predict_first", _predict_first, seconds=30.0),
        Case("startup/predict_warm", functools.partial(_predict_warm, "predict_warm"), True, 24.0),
        Case("startup/predict_plain", functools.partial(_predict_warm, "predict_plain"), seconds=24.0),
    ]
    for package in ("minicnn", "poster_genre"):
        run = functools.partial(_import, package)
        rows.append(Case(f"startup/import_{package}", run, package == "minicnn", 14.0))
    return rows


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        raise ChildProcessError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def _import(package: str, settings: Settings) -> Row:
    peers = ["numpy", *(["torch"] if missing("torch_nchw") is None else [])]
    sides = [
        Side("ours" if name == package else name, functools.partial(_run, ["-c", f"import {name}"]))
        for name in (package, *peers)
    ]
    seconds = take_turns(sides, QUICK if settings.quick else BUDGET)
    return comparison_row(f"startup/import_{package}", "s", seconds)


def _predict_warm(name: str, settings: Settings) -> Row:
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        ours, theirs = _commands(Path(folder), settings)
        if name == "predict_plain":
            ours = ["-c", WITHOUT_SCIPY, *ours[2:]]
        environment = {"NUMBA_CACHE_DIR": f"{folder}/kernels", "OMP_NUM_THREADS": str(settings.threads)}
        sides = [Side("ours", functools.partial(_run, ours, environment))]
        for peer in available(["torch_nchw"]):
            sides.append(Side(peer, functools.partial(_run, theirs, environment)))
            _compare(_run(ours, environment), _run(theirs, environment))
        # Each side's first run, which is not timed, fills the file cache and compiles.
        for side in sides:
            side.run()
        seconds = take_turns(sides, QUICK if settings.quick else BUDGET)
    return comparison_row(f"startup/{name}", "s", seconds, threads=settings.threads)


def _predict_first(settings: Settings) -> Row:
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        ours, theirs = _commands(Path(folder), settings)
        threads = {"OMP_NUM_THREADS": str(settings.threads)}
        sides = [Side("ours", _with_a_new_cache(Path(folder), ours, threads))]
        sides += [Side(peer, functools.partial(_run, theirs, threads)) for peer in available(["torch_nchw"])]
        budget = Budget(seconds=12.0, least=2, most=3, block=0.0)
        seconds = take_turns(sides, budget)
    return comparison_row("startup/predict_first", "s", seconds, threads=settings.threads)


def _with_a_new_cache(folder: Path, command: list[str], environment: Mapping[str, str]) -> Callable[[], str]:
    def run() -> str:
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            return _run(command, {**environment, "NUMBA_CACHE_DIR": empty})

    return run


def _commands(folder: Path, settings: Settings) -> tuple[list[str], list[str]]:
    """Write a poster and the shipped network, barely trained, for both sides; the two commands to run."""
    from poster_genre.classifier import PosterGenreClassifier
    from poster_genre.drawing.synthetic import draw_poster, random_genres
    from poster_genre.genres import GENRES, N_GENRES

    use_threads(settings)
    rng = np.random.default_rng(0)
    poster = folder / "one.jpg"
    draw_poster(random_genres(rng), rng).save(poster, quality=90)
    classifier = PosterGenreClassifier("compact", epochs=1, batch_size=8)
    height, width = classifier.specification().input_size
    labels = (rng.random((16, N_GENRES)) < 0.1).astype(np.uint8)
    classifier.fit(rng.integers(0, 256, (16, height, width, 3), np.uint8), labels)
    classifier.save(folder / "model.npz")
    if missing("torch_nchw") is None:
        import torch

        from benchmarks.convert import Conversion

        spec = classifier.trained_.spec
        module = Conversion(classifier.trained_.network, (1, height, width, 3)).module.eval()
        saved = {
            "module": module,
            "input_size": spec.input_size,
            "mean": spec.mean,
            "std": spec.std,
            "flip_average": spec.flip_average,
            "genres": GENRES,
            "threads": settings.threads,
        }
        torch.save(saved, folder / "model.pt")
    ours = ["-m", "poster_genre", "predict", str(poster), "--model-file", str(folder / "model.npz"), "--json"]
    return ours, ["-m", "benchmarks.torch_predict", str(folder / "model.pt"), str(poster)]


def _compare(ours: str, theirs: str) -> None:
    """The three genres that the script prints have the same probabilities in our answer."""
    (answer,) = json.loads(ours)
    for genre, p in json.loads(theirs).items():
        ours_p = answer["probabilities"][genre]
        if abs(ours_p - p) > TOLERANCE:
            raise DisagreementError(f"startup: {genre} is {ours_p:.4f} in minicnn, {p:.4f} in PyTorch")
