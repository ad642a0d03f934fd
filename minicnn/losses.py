"""Losses: one number for a batch, and its gradient with respect to the prediction.

In every formula x (or p) is one number of the prediction, t its target, l their loss, and dx = dl/dx.
A batch's loss is the mean of l over all of its numbers (over all samples and positions where a whole row of
the prediction shares one loss, as in SoftmaxCrossEntropy). With ``sample_weight`` w of shape (N,) it is

    L = sum_n w_n * (mean of l over sample n) / sum_n w_n

so that a sample of weight 2 counts as two copies of itself, and one of weight 0 as absent.

Every ``forward`` raises ValueError for targets that are NaN or out of range and for shapes that differ; a
prediction with NaN or infinity makes the loss ``nan``, so that the training loop can stop and report it.
"""

from __future__ import annotations

import math

import numpy as np

from minicnn.argument_checks import check_batch, check_shape, real
from minicnn.layers.activation import sigmoid, softmax

# The floor that PyTorch's binary_cross_entropy puts under p * (1 - p) in the denominator of its gradient.
SMALLEST_VARIANCE = 1e-12
LOWEST_LOG = -100.0


def softplus(x: np.ndarray) -> np.ndarray:
    """``log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))``: no overflow, and small results stay exact."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


class Loss:
    """Base class. A loss defines ``_values``, l for each number, and ``_gradient``, dl/d(prediction)."""

    _recorded: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def forward(
        self,
        prediction: np.ndarray,
        target: np.ndarray,
        sample_weight: np.ndarray | None = None,
        record: bool = True,
    ) -> float:
        """The loss of a batch; ``record`` stores what ``backward`` needs.

        Shapes: prediction (N, ...), target as the class describes it, sample_weight (N,). Raises TypeError
        for arrays of the wrong kind and ValueError for shapes, targets or weights that cannot be used.
        """
        check_batch(self._name, prediction)
        if not isinstance(target, np.ndarray) or target.dtype.kind not in "biuf":
            actual = target.dtype if isinstance(target, np.ndarray) else type(target).__name__
            raise TypeError(f"{self._name}: expected the targets as an array of numbers, got {actual}")
        if isinstance(target, np.ma.MaskedArray):
            raise TypeError(
                f"{self._name}: expected the targets as a NumPy array, got a masked array; choose values for "
                "the masked numbers with target.filled(...), or leave samples out with sample_weight"
            )
        target = self._check_target(prediction, target)
        share = self._shares(sample_weight, len(prediction), prediction.dtype)
        if record:
            self._recorded = prediction, target, share
        if not np.isfinite(prediction).all():
            return math.nan
        with np.errstate(over="ignore", invalid="ignore"):  # shows in the loss, which is then inf or nan
            values = self._values(prediction, target).reshape(len(prediction), -1)
            return float(share.astype(np.float64) @ values.mean(axis=1, dtype=np.float64))

    __call__ = forward

    def backward(self) -> np.ndarray:
        """dL/d(prediction) of the last recorded forward pass: its shape and dtype. Can be called once."""
        if self._recorded is None:
            raise RuntimeError(
                f"{self._name}.backward needs a recorded forward pass before it: "
                "call forward(prediction, target), then backward once"
            )
        (prediction, target, share), self._recorded = self._recorded, None
        with np.errstate(over="ignore", invalid="ignore"):  # where the loss is nan so is its gradient
            gradient = self._gradient(prediction, target)
        positions = math.prod(self._positions(prediction.shape)[1:])
        gradient *= (share / positions).reshape(-1, *(1,) * (prediction.ndim - 1))
        return gradient

    def probabilities(self, prediction: np.ndarray) -> np.ndarray:
        """The probabilities of a prediction, of its shape; TypeError where the loss defines none."""
        raise TypeError(f"{self._name}: its predictions do not stand for probabilities")

    def _values(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        raise TypeError(f"{self._name} does not define _values")

    def _gradient(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        raise TypeError(f"{self._name} does not define _gradient")

    def _check_target(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        """The target in the dtype and form that ``_values`` takes."""
        self._check_same_shape(prediction, target)
        if not np.isfinite(target).all():
            raise ValueError(f"{self._name}: expected finite targets, got NaN or infinity")
        return target.astype(prediction.dtype)

    def _check_same_shape(self, prediction: np.ndarray, target: np.ndarray) -> None:
        if target.shape != prediction.shape:
            raise ValueError(
                f"{self._name}: expected targets of the prediction's shape {prediction.shape}, "
                f"got {target.shape}"
            )

    def _positions(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of ``_values`` for a prediction of ``shape``."""
        return shape

    def _shares(self, sample_weight: np.ndarray | None, count: int, dtype: np.dtype) -> np.ndarray:
        """The part of the batch's loss that each sample has: w_n / sum(w)."""
        if sample_weight is None:
            return np.full(count, 1 / count, dtype)
        weight = np.asarray(sample_weight, np.float64)
        check_shape(f"{self._name}, sample_weight", weight.shape, (count,))
        if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
            raise ValueError(
                f"{self._name}: sample_weight must be finite numbers of at least 0, and not all of them 0"
            )
        weight = weight / weight.max()  # so that the sum of large ones does not overflow
        return (weight / weight.sum()).astype(dtype)

    @property
    def _name(self) -> str:
        return type(self).__name__


class BinaryLoss(Loss):
    """Base class of losses for independent yes/no labels: targets of the prediction's shape, from 0 to 1.

    ``label_smoothing`` s replaces t by ``t * (1 - s) + s / 2``.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = real(self._name, "label_smoothing", label_smoothing, at_least=0, below=1)

    def _check_target(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        self._check_same_shape(prediction, target)
        if not ((target >= 0) & (target <= 1)).all():
            raise ValueError(
                f"{self._name}: expected targets from 0 to 1, got {target.min()} to {target.max()}"
            )
        return target.astype(prediction.dtype) * (1 - self.label_smoothing) + self.label_smoothing / 2


class BinaryCrossEntropy(BinaryLoss):
    """Binary cross-entropy on probabilities p, the end of the textbook chain Sigmoid + BCE.

        l  = -(t * log(p) + (1 - t) * log(1 - p))      each logarithm at least -100
        dp = (p - t) / max(p * (1 - p), 1e-12)

    Shapes: prediction and target (N, ...); predictions from 0 to 1, targets 0 or 1.

    At p = 0 and p = 1 the logarithms have no value; like PyTorch's ``binary_cross_entropy`` this one cuts
    them off at -100 and the gradient's denominator at 1e-12, so that both stay finite. A sigmoid in front of
    it that has saturated (p * (1 - p) < 1e-12) therefore learns too slowly or not at all, however wrong it
    is: ``BinaryCrossEntropyWithLogits`` is the same function without that defect.
    """

    def _check_target(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        if ((prediction < 0) | (prediction > 1)).any() and np.isfinite(prediction).all():
            raise ValueError(
                f"{self._name}: expected probabilities from 0 to 1, got values from {prediction.min()} to "
                f"{prediction.max()}; put a Sigmoid before it or use BinaryCrossEntropyWithLogits"
            )
        self._check_same_shape(prediction, target)
        if not ((target == 0) | (target == 1)).all():
            raise ValueError(
                f"{self._name}: expected targets of 0 or 1, got others; label_smoothing softens them, and "
                "BinaryCrossEntropyWithLogits takes any target from 0 to 1"
            )
        return super()._check_target(prediction, target)

    def _values(self, p: np.ndarray, t: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):  # log(0) is -inf, which the floor replaces
            log_p = np.maximum(np.log(p), LOWEST_LOG)
            log_q = np.maximum(np.log1p(-p), LOWEST_LOG)
        return -(t * log_p + (1 - t) * log_q)

    def _gradient(self, p: np.ndarray, t: np.ndarray) -> np.ndarray:
        return (p - t) / np.maximum(p * (1 - p), SMALLEST_VARIANCE)

    def probabilities(self, prediction: np.ndarray) -> np.ndarray:
        """The prediction, which holds probabilities."""
        return prediction


class BinaryCrossEntropyWithLogits(BinaryLoss):
    """Binary cross-entropy of p = sigmoid(x) computed from the logit x, exact for logits of any size.

    -log(sigmoid(x)) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x), hence

        l  = w * t * softplus(-x) + (1 - t) * softplus(x)
        dx = (1 - t) * sigmoid(x) - w * t * sigmoid(-x)          which is sigmoid(x) - t where w = 1

    Shapes: prediction (N, ...) of logits, target alike, from 0 to 1.
    ``positive_weight`` w, a number or one for each entry of the last axis, is the weight of a positive label
    relative to a negative one (PyTorch's ``pos_weight``).
    """

    def __init__(
        self, positive_weight: float | np.ndarray | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(label_smoothing)
        try:
            weight = np.asarray(1.0 if positive_weight is None else positive_weight, np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"{self._name}: positive_weight must be a number or an array of numbers, "
                f"got {positive_weight!r}"
            ) from None
        if weight.ndim > 1 or not np.isfinite(weight).all() or (weight < 0).any():
            raise ValueError(
                f"{self._name}: positive_weight must be a number of at least 0, or one for each label, "
                f"got {positive_weight!r}"
            )
        self.positive_weight = weight

    def _check_target(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        if self.positive_weight.ndim and self.positive_weight.shape != prediction.shape[-1:]:
            raise ValueError(
                f"{self._name}: there are {len(self.positive_weight)} positive weights, "
                f"but the prediction has shape {prediction.shape}"
            )
        return super()._check_target(prediction, target)

    def _values(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        w = self.positive_weight.astype(x.dtype)
        return w * t * softplus(-x) + (1 - t) * softplus(x)

    def _gradient(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        w = self.positive_weight.astype(x.dtype)
        return (1 - t) * sigmoid(x) - w * t * sigmoid(-x)

    def probabilities(self, prediction: np.ndarray) -> np.ndarray:
        """``sigmoid(x)``."""
        return sigmoid(prediction)


class AsymmetricLoss(BinaryLoss):
    """Asymmetric loss on logits: easy negatives, of which multi-label data is full, hardly count.

    Ridnik et al. 2021, "Asymmetric Loss For Multi-Label Classification"; with both gammas equal and no margin
    it is the focal loss of Lin et al. 2017. With p = sigmoid(x), q = 1 - p = sigmoid(-x), and
    r = max(p - m, 0) for the probability margin m:

        l  = t * l_pos + (1 - t) * l_neg
        l_pos = q**g_pos * -log(p)
        l_neg = r**g_neg * -log(1 - r)                 zero where p <= m

    Backward, with dp/dx = p * q and dq/dx = -p * q. The positive part is a product; -log(p) has slope -q:
        dl_pos/dx = -g_pos * q**(g_pos - 1) * p * q * -log(p) - q**g_pos * q
                  = -q**g_pos * (g_pos * p * -log(p) + q)
    and so is the negative one; where p > m, dr/dx = p * q and -log(1 - r) has slope 1 / (1 - r) in r:
        dl_neg/dx = p * q * (g_neg * r**(g_neg - 1) * -log(1 - r) + r**g_neg / (1 - r))
                  = p * r**g_neg * (g_neg * q * -log(1 - r) / r + q / (1 - r))
    At p = m, where l_neg bends, dl_neg/dx is 0. The code computes 1 - r as min(q + m, 1), which cannot become
    0; without a margin it is q, and the last quotient is 1.

    Shapes: prediction (N, ...) of logits, target alike, from 0 to 1. The paper sums over labels; this loss,
    as all others, takes the mean.
    """

    def __init__(
        self,
        gamma_positive: float = 0.0,
        gamma_negative: float = 4.0,
        margin: float = 0.05,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(label_smoothing)
        self.gamma_positive = real(self._name, "gamma_positive", gamma_positive, at_least=0)
        self.gamma_negative = real(self._name, "gamma_negative", gamma_negative, at_least=0)
        self.margin = real(self._name, "margin", margin, at_least=0, below=1)

    def _shifted(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """r and -log(1 - r)."""
        if self.margin == 0:
            return sigmoid(x), softplus(x)
        return np.maximum(sigmoid(x) - self.margin, 0), -np.log(np.minimum(sigmoid(-x) + self.margin, 1))

    def _values(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        r, minus_log = self._shifted(x)
        positive = sigmoid(-x) ** self.gamma_positive * softplus(-x)
        negative = r**self.gamma_negative * minus_log
        return t * positive + (1 - t) * negative

    def _gradient(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        p, q = sigmoid(x), sigmoid(-x)
        r, minus_log = self._shifted(x)
        positive = -(q**self.gamma_positive) * (self.gamma_positive * p * softplus(-x) + q)
        above = np.where(r > 0, r, 1)  # the 1 avoids 0 / 0; these elements are set to 0 below
        last = q / np.minimum(q + self.margin, 1) if self.margin > 0 else 1
        slope = p * above**self.gamma_negative * (self.gamma_negative * q * minus_log / above + last)
        negative = np.where(r > 0, slope, x.dtype.type(0))
        return t * positive + (1 - t) * negative

    def probabilities(self, prediction: np.ndarray) -> np.ndarray:
        """``sigmoid(x)``."""
        return sigmoid(prediction)


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of softmax(x) computed from the logits x: one class out of K.

    With log-softmax z_k = x_k - max(x) - log(sum_j exp(x_j - max(x))) and targets t that sum to 1:

        l    = -sum_k t_k * z_k
        dx_k = softmax(x)_k * sum_j t_j - t_k          since dz_j/dx_k = 1[j = k] - softmax(x)_k

    Shapes: prediction (N, ..., K). target: class numbers (N, ...), integers from 0 to K - 1; or one
    distribution for each position, (N, ..., K). ``label_smoothing`` s replaces t by ``t * (1 - s) + s / K``.
    The mean is taken over samples and positions, not over the K classes.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = real(self._name, "label_smoothing", label_smoothing, at_least=0, below=1)

    def _check_target(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        check_batch(self._name, prediction, minimum_rank=2)
        classes = prediction.shape[-1]
        if target.shape == prediction.shape[:-1]:
            if target.dtype.kind not in "iu":
                raise TypeError(f"{self._name}: expected class numbers as integers, got {target.dtype}")
            if target.min() < 0 or target.max() >= classes:
                raise ValueError(
                    f"{self._name}: expected class numbers from 0 to {classes - 1}, got values from "
                    f"{target.min()} to {target.max()}"
                )
            soft = np.zeros(prediction.shape, prediction.dtype)
            np.put_along_axis(soft, target[..., np.newaxis].astype(np.intp), 1, axis=-1)
        elif target.shape == prediction.shape:
            sums_to_one = np.abs(target.sum(axis=-1, dtype=np.float64) - 1) <= 1e-3
            if not (sums_to_one.all() and (target >= 0).all()):
                raise ValueError(
                    f"{self._name}: expected targets of at least 0 that sum to 1 over the last axis; "
                    "for several labels at once use BinaryCrossEntropyWithLogits"
                )
            soft = target.astype(prediction.dtype)
        else:
            raise ValueError(
                f"{self._name}: expected class numbers of shape {prediction.shape[:-1]} or "
                f"distributions of shape {prediction.shape}, got {target.shape}"
            )
        return soft * (1 - self.label_smoothing) + self.label_smoothing / classes

    def _positions(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[:-1]

    def _values(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        shifted = x - x.max(axis=-1, keepdims=True)
        log_softmax = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return -(t * log_softmax).sum(axis=-1)

    def _gradient(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        return softmax(x) * t.sum(axis=-1, keepdims=True) - t

    def probabilities(self, prediction: np.ndarray) -> np.ndarray:
        """``softmax(x)`` over the last axis."""
        return softmax(prediction)


class MeanSquaredError(Loss):
    """Mean squared error.

        l  = (x - t)**2
        dx = 2 * (x - t)

    Shapes: prediction and target (N, ...).
    """

    def _values(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        return (x - t) ** 2

    def _gradient(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        return 2 * (x - t)
