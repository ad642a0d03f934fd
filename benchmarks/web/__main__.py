"""``python -m benchmarks.web [--model-file FILE] [--quick] [--only PART] [--json FILE] [--threads N]``"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import machine
from benchmarks.web.attacks import ATTACKS, visitor_beside
from benchmarks.web.clicks import clicks
from benchmarks.web.load import Responses, get_request, predict_request, run_clients, run_clients_and_probe
from benchmarks.web.server_process import server
from poster_genre.classifier import PosterGenreClassifier
from poster_genre.genres import N_GENRES
from poster_genre.model.model_file import PACKAGED, save_model
from poster_genre.model.networks import build_network, model_spec
from poster_genre.model.trained_model import TrainedModel

CLIENTS = (1, 8, 64)
FLOOD = 256
MANY = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code is 1 where a request failed otherwise than by a proper 503."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument(
        "--model-file", metavar="FILE", help="default: the weights that come with the package"
    )
    parser.add_argument("--quick", action="store_true", help="2 seconds a step and 1,000 requests")
    parser.add_argument("--only", choices=PARTS, help="one part of it (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--threads", type=int, metavar="N", help="of the kernels (default: the cores)")
    chosen = parser.parse_args(arguments)
    seconds, many = (2.0, 1000) if chosen.quick else (12.0, MANY)
    parts = (chosen.only,) if chosen.only else PARTS
    rows: list[dict[str, Any]] = [{"what": "machine", "description": machine()}]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(chosen.model_file or str(resources.files("poster_genre.model") / "weights" / PACKAGED))
        if "load" in parts:
            rows += load(model, chosen.threads, seconds)
        if "attacks" in parts:
            rows += attacks(model, chosen.threads, seconds)
        if "clicks" in parts:
            original = untrained("original", Path(folder) / "original.npz")
            rows += trace_sessions("the model", model, chosen.threads, seconds)
            rows += trace_sessions("original", original, chosen.threads, seconds)
        if "endurance" in parts:
            rows += report([endurance(model, chosen.threads, many)])
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1) + "\n")
    failed = sum(n for each in rows for status, n in each.get("statuses", {}).items() if status not in OK)
    return 1 if failed or any(each.get("without_retry_after") for each in rows) else 0


def load(model: Path, threads: int | None, seconds: float) -> list[dict[str, Any]]:
    """Concurrent clients beside what the classifier does without a server."""
    posters = examples()
    rows = report(offline(model, posters, threads, seconds))
    with server(model, threads) as running:
        port = running.port
        requests = [predict_request(poster, port) for poster in posters]
        run_clients(port, requests, 8, seconds=seconds / 4)
        for clients in CLIENTS:
            responses = run_clients(port, requests, clients, seconds=seconds)
            rows += report([row(f"{clients} clients", responses, relative_to=rows[0]["per_second"])])
        healthz = get_request("/healthz", port)
        flood, probe = run_clients_and_probe(port, requests, FLOOD, healthz, seconds=seconds)
        rows += report([row(f"flood of {FLOOD} clients", flood), row("/healthz meanwhile", probe)])
    return rows


def attacks(model: Path, threads: int | None, seconds: float) -> list[dict[str, Any]]:
    """A visitor of the page beside each attack, the server's memory, and the time that it takes to stop."""
    rows, posters = [], examples()
    for name, attack in ATTACKS.items():
        with server(model, threads) as running:
            idle = running.resident()
            visitor, stopping = visitor_beside(running, attack, posters, seconds)
            figures = row(f"visitor beside {name}", visitor)
            rows += report([{**figures, "idle_mb": round(idle), **stopping}])
    return rows


def trace_sessions(name: str, model: Path, threads: int | None, seconds: float) -> list[dict[str, Any]]:
    """The Inside page's requests of one client, one after the other."""
    with server(model, threads) as running:
        starting, clicking = clicks(running.port, examples()[0], seconds / 2)
    return report([row(f"inside {name}: a poster", starting), row(f"inside {name}: a click", clicking)])


PARTS = ("load", "attacks", "clicks", "endurance")
OK = ("200", "503")


def row(what: str, responses: Responses, relative_to: float | None = None) -> dict[str, Any]:
    """The figures of some clients; ``relative_to``: predictions a second without a server."""
    figures: dict[str, Any] = {
        "what": what,
        "per_second": round(responses.rate, 1),
        "p50_ms": round(responses.quantile(0.5), 1),
        "p95_ms": round(responses.quantile(0.95), 1),
        "p99_ms": round(responses.quantile(0.99), 1),
        "statuses": {str(status): n for status, n in sorted(responses.statuses.items())},
    }
    if responses.statuses[503]:
        figures["without_retry_after"] = responses.without_retry_after
    if relative_to is not None:
        figures["of_offline"] = round(responses.rate / relative_to, 2)
    return figures


def report(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print rows and return them."""
    for each in rows:
        figures = "  ".join(f"{key} {value}" for key, value in each.items() if key != "what")
        print(f"{each['what']:<24} {figures}", flush=True)
    return rows


def examples() -> list[bytes]:
    """The drawn posters that the page ships, JPEGs of 300 x 444 pixels."""
    folder = resources.files("poster_genre.web") / "static" / "examples"
    return [entry.read_bytes() for entry in sorted(folder.iterdir(), key=lambda each: each.name)]


def untrained(name: str, path: Path) -> Path:
    """A file of a network as training starts it: it is as fast as a trained one."""
    spec = model_spec(name)
    model = TrainedModel.uncalibrated(spec, build_network(spec, rng=0), np.full(N_GENRES, 0.1), {})
    save_model(model, path)
    return path


def offline(model: Path, posters: list[bytes], threads: int | None, seconds: float) -> list[dict[str, Any]]:
    """Predictions a second without a server, one poster at a time: of pixels, and of files."""
    if threads is not None:
        from minicnn.kernels.runtime.thread_count import set_threads

        set_threads(threads)
    from poster_genre.data.transforms import load_poster

    classifier = PosterGenreClassifier.load(model)
    size = classifier.trained().spec.input_size
    pixels = [load_poster(poster, size)[None] for poster in posters]
    return [
        {"what": "offline, pixels", "per_second": rate(classifier.predict_proba, pixels, seconds / 2)},
        {
            "what": "offline, files",
            "per_second": rate(lambda poster: classifier.predict_proba([poster]), posters, seconds / 2),
        },
    ]


def rate(work: Callable[[Any], Any], inputs: Sequence[Any], seconds: float) -> float:
    """Calls of ``work`` a second, over inputs in turn."""
    for each in inputs[:3]:
        work(each)
    done, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        work(inputs[done % len(inputs)])
        done += 1
    return round(done / passed, 1)


def endurance(model: Path, threads: int | None, many: int) -> dict[str, Any]:
    """Resident memory before, during and after many requests from 8 clients, MB."""
    with server(model, threads) as running:
        port = running.port
        requests = [predict_request(poster, port) for poster in examples()]
        total = run_clients(port, requests, 8, count=many // 10)
        resident = [running.resident()]
        for _ in range(10):
            responses = run_clients(port, requests, 8, count=many // 10)
            total.statuses += responses.statuses
            resident.append(running.resident())
    statuses = {str(status): n for status, n in sorted(total.statuses.items())}
    return {
        "what": f"{many:,} requests",
        "statuses": statuses,
        "resident_mb": [round(each, 1) for each in resident],
    }


if __name__ == "__main__":
    sys.exit(main())
