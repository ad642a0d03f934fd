"""A baseline for the demo: genres predicted from colour histograms, without any shapes."""

from __future__ import annotations

import numpy as np

from minicnn.layers.dense import Dense
from minicnn.losses import BinaryCrossEntropyWithLogits
from minicnn.metrics import macro_roc_auc
from minicnn.optim import Adam
from poster_genre.genres import N_GENRES

STEPS = 300


def histogram_auc(x: np.ndarray, y: np.ndarray, x_val: np.ndarray, y_val: np.ndarray, seed: int) -> float:
    """Macro AUC on val of logistic regression on the colour histograms of uint8 posters (N, h, w, 3)."""
    train, val = colour_histograms(x), colour_histograms(x_val)
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
    train, val = (train - mean) / std, (val - mean) / std
    model = Dense(train.shape[1], N_GENRES, rng=seed)
    loss, optimizer = BinaryCrossEntropyWithLogits(), Adam(model.parameters(), lr=0.02, weight_decay=1e-3)
    for _ in range(STEPS):
        model.zero_grad()
        loss.forward(model.forward(train, training=True), y)
        model.backward(loss.backward())
        optimizer.step()
    return macro_roc_auc(y_val, model.forward(val))


def colour_histograms(pixels: np.ndarray) -> np.ndarray:
    """uint8 (N, h, w, 3) -> float32 (N, 64): the share of pixels in each of 4 x 4 x 4 boxes of colours."""
    boxes = (pixels >> 6).astype(np.int64) @ np.array([16, 4, 1])
    counts = np.stack([np.bincount(row.ravel(), minlength=64) for row in boxes])
    return (counts / boxes[0].size).astype(np.float32)
