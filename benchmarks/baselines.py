"""Genres predicted without a convolutional network.

    python -m benchmarks.baselines --data PATH [--split val]

Features: a colour histogram of 8x8x8 cells and a 12x8 thumbnail. Models, one a genre: logistic regression
and extra trees (both scikit-learn, extra ``test``), fitted on the train split. Beside them the genre priors.
"""

from __future__ import annotations

import argparse
import sys
import warnings

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from minicnn import metrics
from poster_genre.data.arrays import split_arrays
from poster_genre.data.dataset import load_dataset

SIZE = (72, 48)
MEASURES = {
    "macro mAP": metrics.macro_average_precision,
    "macro AUC": metrics.macro_roc_auc,
    "micro AP": metrics.micro_average_precision,
    "top-1": metrics.top1,
    "hit@3": metrics.hit_at_k,
    "P@3": metrics.precision_at_k,
}


def features(posters: np.ndarray) -> np.ndarray:
    """uint8 (n, 72, 48, 3) -> float32 (n, 512 + 288): square roots of colour shares, and a thumbnail."""
    cells = (posters // 32).astype(np.int64) @ np.array([64, 8, 1])
    shares = np.stack([np.bincount(cell.ravel(), minlength=512) for cell in cells]) / cells[0].size
    thumbnails = posters.reshape(len(posters), 12, 6, 8, 6, 3).mean(axis=(2, 4)) / 255
    return np.hstack([np.sqrt(shares), thumbnails.reshape(len(posters), -1)]).astype(np.float32)


def logistic(x: np.ndarray, y: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Probabilities (n, genres); a genre that never occurs has probability 0."""
    p = np.zeros((len(unseen), y.shape[1]))
    for genre in np.flatnonzero(y.any(axis=0)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=200))
        p[:, genre] = model.fit(x, y[:, genre]).predict_proba(unseen)[:, 1]
    return p


def trees(x: np.ndarray, y: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Probabilities (n, genres); a genre that never occurs has probability 0."""
    forest = ExtraTreesClassifier(500, min_samples_leaf=3, n_jobs=-1, random_state=0)
    return np.stack(
        [p[:, 1] if p.shape[1] == 2 else p[:, 0] * 0 for p in forest.fit(x, y).predict_proba(unseen)], 1
    )


def main(arguments: list[str] | None = None) -> int:
    """Fit on the train split, and print the measures on the split that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.baselines", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", required=True, help="the folder or zip with train.csv and Images")
    parser.add_argument("--split", default="val", choices=["val", "test"])
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", category=UserWarning)
    dataset = load_dataset(options.data)
    x, y, _ = split_arrays(dataset, "train", SIZE)
    unseen, truth, _ = split_arrays(dataset, options.split, SIZE)
    known, new = features(x), features(unseen)
    rows = {
        "genre priors": np.broadcast_to(y.mean(axis=0), truth.shape),
        "logistic regression": logistic(known, y, new),
        "extra trees": trees(known, y, new),
    }
    print(f"{len(unseen):,} posters of the split {options.split!r}, fitted on {len(x):,}\n")
    print(" " * 22 + "".join(f"{name:>11}" for name in MEASURES))
    for name, p in rows.items():
        print(f"{name:<22}" + "".join(f"{measure(truth, p):11.3f}" for measure in MEASURES.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
