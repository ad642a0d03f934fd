"""What each command of the command line does: call the one function for it, and print.

Every ``run_NAME`` takes the parsed arguments and returns the exit code.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from poster_genre.errors import FAILED, PosterGenreError


def run_train(arguments: argparse.Namespace) -> int:
    from poster_genre.evaluation.evaluate import comparison
    from poster_genre.training import train as training

    settings = training.Settings(
        model=arguments.model,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        lr=arguments.lr,
        init=arguments.init,
        threads=arguments.threads,
    )
    classifier, result = training.train(arguments.data, arguments.out, settings, resume=arguments.resume)
    out = Path(arguments.out)
    if result is not None:
        print(comparison(result))
        print(f"\nreport      {out / training.REPORT}")
    print(f"curves      {out / training.CURVES}")
    print(f"model       {out / training.MODEL}  ({len(classifier.history_)} epochs)")
    print(f"\nTry it:     poster-genre predict IMAGE... --model-file {out / training.MODEL}")
    return 0


def run_join(arguments: argparse.Namespace) -> int:
    from poster_genre.evaluation.evaluate import comparison
    from poster_genre.model.ensemble import join
    from poster_genre.training.train import MODEL, REPORT

    _, result = join(arguments.models, arguments.data, arguments.out)
    out = Path(arguments.out)
    print(comparison(result))
    print(f"\nreport      {out / REPORT}")
    print(f"model       {out / MODEL}  ({len(arguments.models)} members)")
    return 0


def run_evaluate(arguments: argparse.Namespace) -> int:
    from poster_genre.classifier import PosterGenreClassifier
    from poster_genre.data.dataset import load_dataset
    from poster_genre.evaluation.bootstrap import RESAMPLES
    from poster_genre.evaluation.evaluate import evaluate_classifier, table
    from poster_genre.output_path import refuse_unwritable_file
    from poster_genre.training.train import split_arrays

    if arguments.report:
        refuse_unwritable_file(Path(arguments.report))
    classifier = PosterGenreClassifier.load(arguments.model_file)
    dataset = load_dataset(arguments.data)
    pixels, labels, ids = split_arrays(dataset, arguments.split, classifier.spec_.input_size)
    if len(pixels) == 0:
        raise PosterGenreError(f"{arguments.data} has no usable poster in its {arguments.split} split")
    result, probabilities = evaluate_classifier(
        classifier, pixels, labels, split=arguments.split, resamples=RESAMPLES if arguments.intervals else 0
    )
    if arguments.report:
        from poster_genre.evaluation.report.report import write_report

        write_report(
            Path(arguments.report), classifier, result, labels, probabilities, posters=pixels, ids=ids
        )
        print(f"report: {arguments.report}", file=sys.stderr)
    calibrated = classifier.calibration_ is not None
    print(json_text(result) if arguments.json else table(result, calibrated=calibrated))
    return 0


def run_predict(arguments: argparse.Namespace) -> int:
    from poster_genre.predict import answers, as_text

    failed = False
    documents = []
    for answer in answers(arguments.images, arguments.model_file, arguments.top):
        if answer["error"] is not None:
            failed = True
            print(f"error: {answer['error']}", file=sys.stderr)
        if arguments.json:
            documents.append(answer)
        elif answer["error"] is None:
            print(as_text(answer))
    if arguments.json:
        print(json_text(documents))
    return FAILED if failed else 0


def run_explain(arguments: argparse.Namespace) -> int:
    from poster_genre.explain.heatmap import explain_file

    result = explain_file(
        arguments.image, arguments.genre, Path(arguments.out), arguments.method, arguments.model_file
    )
    print(f"{result.genre} {result.probability:.1%}, {result.method}: {arguments.out}")
    return 0


def run_dataset(arguments: argparse.Namespace) -> int:
    from poster_genre.data.inspection import describe

    print(describe(arguments.path, arguments.out))
    return 0


def run_download(arguments: argparse.Namespace) -> int:
    from poster_genre.data.download import download

    print(download(arguments.out))
    return 0


def run_synth(arguments: argparse.Namespace) -> int:
    from poster_genre.drawing.synthetic import write_dataset

    write_dataset(Path(arguments.out), arguments.count, arguments.seed)
    print(f"{arguments.count} posters in {arguments.out}")
    return 0


def run_serve(arguments: argparse.Namespace) -> int:
    try:
        from poster_genre.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("starlette", "uvicorn", "python_multipart"):
            raise
        raise PosterGenreError(
            f"serving needs the package {error.name}: pip install 'poster-genre[web]'"
        ) from error
    serve(
        arguments.host,
        arguments.port,
        model_file=arguments.model_file,
        threads=arguments.threads,
        allow_hosts=arguments.allow_host,
    )
    return 0


def run_demo(arguments: argparse.Namespace) -> int:
    from poster_genre.cli.demo import demo

    demo(Path(arguments.out), seed=arguments.seed, threads=arguments.threads)
    return 0


def json_text(document: Any) -> str:
    return json.dumps(document, indent=2, allow_nan=False)
