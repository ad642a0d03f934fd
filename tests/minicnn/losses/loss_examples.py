"""Predictions and targets for the tests of the losses, and the comparison with PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryCrossEntropyWithLogits,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((6, 4)) * 3
PROBABILITIES = RNG.uniform(0.02, 0.98, (6, 4))
LABELS = RNG.integers(0, 2, (6, 4))
SOFT = RNG.uniform(0, 1, (6, 4))
CLASSES = RNG.integers(0, 4, 6)
WEIGHT = RNG.uniform(0.5, 2, 6)
EVERY = pytest.mark.parametrize(
    ("loss", "prediction", "target"),
    [
        (BinaryCrossEntropy(), PROBABILITIES, LABELS),
        (BinaryCrossEntropyWithLogits(), LOGITS, LABELS),
        (AsymmetricLoss(), LOGITS, LABELS),
        (SoftmaxCrossEntropy(), LOGITS, CLASSES),
        (MeanSquaredError(), LOGITS, SOFT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Loss) else "",
)
BINARY = pytest.mark.parametrize("kind", [BinaryCrossEntropy, BinaryCrossEntropyWithLogits, AsymmetricLoss])


def torch_loss_and_gradient(function: Any, prediction: np.ndarray) -> tuple[float, np.ndarray]:
    torch = pytest.importorskip("torch")
    p = torch.from_numpy(prediction).requires_grad_()
    value = function(torch, p)
    value.backward()
    return value.item(), p.grad.numpy()


def check_against_torch(
    loss: Loss, prediction: np.ndarray, target: np.ndarray, function: Any, rtol: float = 1e-10
) -> None:
    value, gradient = torch_loss_and_gradient(function, prediction)
    assert loss(prediction, target) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(loss.backward(), gradient, rtol=rtol, atol=1e-14)
