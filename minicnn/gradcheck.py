"""Is a hand-written gradient right? Compare it with what the forward pass says when it is nudged.

A derivative is the limit of (f(x + h) - f(x - h)) / 2h, so a backward pass can be checked with nothing but
forward passes. That is slow, so it is done on small arrays, in float64, where h can be small before rounding
drowns the difference. Three rules make the check mean something:

* The upstream gradient dy is random. With all ones a batch norm's input gradient is zero, and a wrong
  backward pass would look right.
* The input stays away from kinks and ties (ReLU at 0, two equal maxima in a pool): no derivative there.
* The checker is checked: ``PlantedBug`` makes one gradient slightly wrong, and that must be reported.

Used as a command, ``python -m minicnn.gradcheck`` prints a table of every layer and loss.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from minicnn.init import check_generator
from minicnn.layer import Layer, Parameter
from minicnn.losses import Loss

TOLERANCE = 1e-6
FLOAT32_TOLERANCE = 1e-4
STEP = 1e-5

Function = Callable[[np.ndarray], "np.ndarray | float"]


@dataclass(frozen=True)
class Result:
    """How well one gradient agrees: of the parameter called ``tensor``, or of the input ("x")."""

    layer: str
    tensor: str
    error: float
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance  # nan is not

    @property
    def verdict(self) -> str:
        return "ok" if self.passed else "FAIL"


def numerical_gradient(
    f: Function, x: np.ndarray, eps: float = STEP, dy: np.ndarray | float = 1.0
) -> np.ndarray:
    """Gradient of ``sum(dy * f(x))`` by central differences, one element of x at a time.

        dx_i = sum(dy * (f(x + eps * e_i) - f(x - eps * e_i))) / (2 * eps)

    ``f`` takes a float64 array like ``x`` and returns a number, or an array of the shape of ``dy``. The
    outputs are subtracted before they are summed, which keeps digits. ``x`` is not changed. The error is of
    the order of eps**2 times the third derivative, plus 1e-16 / eps times the size of f.
    """
    if not isinstance(x, np.ndarray) or x.dtype != np.float64:
        found = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"numerical_gradient: expected x as a float64 array, got {found}")
    if not eps > 0:
        raise ValueError(f"numerical_gradient: eps must be greater than 0, got {eps}")
    gradient = np.zeros(x.shape)
    nudged = x.copy()
    for i in np.ndindex(x.shape):
        nudged[i] = x[i] + eps
        above = np.array(f(nudged), np.float64)
        nudged[i] = x[i] - eps
        gradient[i] = np.sum(dy * (above - f(nudged))) / (2 * eps)
        nudged[i] = x[i]
    return gradient


def relative_error(analytic: np.ndarray, numeric: np.ndarray) -> float:
    """``max|a - n| / max(max|a|, max|n|, 1e-3)``; the 1e-3 is for gradients that are zero by nature."""
    if analytic.shape != numeric.shape:
        return float("inf")
    scale = max(np.abs(analytic).max(), np.abs(numeric).max(), 1e-3)
    return float(np.abs(analytic - numeric).max() / scale)


def spread_input(shape: tuple[int, ...], rng: np.random.Generator | int) -> np.ndarray:
    """A random float64 array for checks: evenly spread over (-2, 2) and shuffled.

    No two values are equal and none is 0; the smallest gap is 4 / size, thousands of steps for the sizes that
    can be checked in reasonable time.
    """
    rng = check_generator("spread_input", rng)
    size = int(np.prod(shape))
    values = (np.arange(size) + 0.5) / size * 4 - 2
    if size % 2:
        values += 1 / size  # the middle one would be 0
    return rng.permutation(values).reshape(shape)


def check_layer(
    layer: Layer,
    x: np.ndarray | tuple[int, ...],
    *,
    rng: np.random.Generator | int = 0,
    training: bool = True,
    tensors: Sequence[str] | None = None,
    eps: float = STEP,
    tolerance: float = TOLERANCE,
    name: str | None = None,
) -> list[Result]:
    """Check the gradients of the input and of every trainable parameter of a float64 layer or container.

    x          an input, or a shape, for which ``spread_input`` draws one
    training   which behaviour to check; batch norm has two
    tensors    names of parameters, or "x", to check; default: all

    Random layers draw the same numbers in every evaluation. Parameters, gradients, buffers and generators are
    as before when the check ends. Where a difference looks wrong it is taken again with a tenth of the step:
    that steps off a kink that happened to be within reach, and does not make a wrong gradient right.
    """
    kind = name or type(layer).__name__
    rng = check_generator("check_layer", rng)
    inputs = x if isinstance(x, np.ndarray) else spread_input(x, rng)
    if any(p.data.dtype != np.float64 for p in layer.parameters().values()) or inputs.dtype != np.float64:
        raise TypeError(f"{kind}: gradients are checked in float64; for float32 there is check_float32")
    with _as_before(layer) as rewind:
        y = layer.forward(inputs, training=training, record=True)
        dy = rng.standard_normal(y.shape)
        analytic = _gradients(layer, layer.backward(dy))

        def output(values: np.ndarray) -> np.ndarray:
            rewind()
            return layer.forward(values, training=training, record=False)

        return _compare(kind, layer, inputs, output, dy, analytic, tensors, eps, tolerance)


def check_loss(
    loss: Loss,
    prediction: np.ndarray,
    target: np.ndarray,
    sample_weight: np.ndarray | None = None,
    *,
    eps: float = STEP,
    tolerance: float = TOLERANCE,
    name: str | None = None,
) -> list[Result]:
    """Check dL/d(prediction) of a loss at a float64 ``prediction``; one result, called "prediction"."""
    loss.forward(prediction, target, sample_weight)
    analytic = loss.backward()

    def value(p: np.ndarray) -> float:
        return loss.forward(p, target, sample_weight, record=False)

    error = _error(analytic, value, prediction, 1.0, eps, tolerance)
    return [Result(name or type(loss).__name__, "prediction", error, tolerance)]


def check_model(
    model: Layer,
    loss: Loss,
    x: np.ndarray,
    target: np.ndarray,
    *,
    training: bool = True,
    tensors: Sequence[str] | None = None,
    eps: float = STEP,
    tolerance: float = TOLERANCE,
    name: str | None = None,
) -> list[Result]:
    """Check a whole training step: the gradients of ``loss(model(x), target)``, as ``check_layer`` does.

    The loss supplies the upstream gradient.
    """
    with _as_before(model) as rewind:
        loss.forward(model.forward(x, training=training, record=True), target)
        analytic = _gradients(model, model.backward(loss.backward()))

        def value(values: np.ndarray) -> float:
            rewind()
            return loss.forward(model.forward(values, training=training, record=False), target, record=False)

        kind = name or type(model).__name__
        return _compare(kind, model, x, value, 1.0, analytic, tensors, eps, tolerance)


def check_float32(
    layer: Layer,
    twin: Layer,
    x: np.ndarray | tuple[int, ...],
    *,
    rng: np.random.Generator | int = 0,
    training: bool = True,
    tolerance: float = FLOAT32_TOLERANCE,
    name: str | None = None,
) -> list[Result]:
    """Compare a float32 layer with a float64 one that computes the same: output ("y"), "x" and parameters.

    For kernels that exist only in float32, where central differences are too coarse. ``twin`` may be built in
    any way (another backend, layers that are not fused); its parameters and buffers are overwritten with
    those of ``layer``, so both must have the same names. Check the twin itself with ``check_layer``.
    """
    kind = name or type(layer).__name__
    rng = check_generator("check_float32", rng)
    inputs = (x if isinstance(x, np.ndarray) else spread_input(x, rng)).astype(np.float32)
    ours, theirs = layer.parameters(), twin.parameters()
    if ours.keys() != theirs.keys() or layer.state().keys() != twin.state().keys():
        raise ValueError(
            f"{kind}: a layer and its float64 twin must have the same parameters, got {sorted(ours)} and "
            f"{sorted(theirs)}"
        )
    for key, parameter in ours.items():
        theirs[key].data[...] = parameter.data
    for key, buffer in layer.state().items():
        twin.state()[key][...] = buffer
    for (_, one), (_, other) in zip(layer.layers(), twin.layers(), strict=False):
        if hasattr(one, "rng") and hasattr(other, "rng"):
            other.rng = copy.deepcopy(one.rng)
    found: list[dict[str, np.ndarray]] = []
    dy = None
    for candidate, dtype in ((layer, np.float32), (twin, np.float64)):
        with _as_before(candidate):
            y = candidate.forward(inputs.astype(dtype), training=training, record=True)
            dy = rng.standard_normal(y.shape).astype(np.float32) if dy is None else dy
            found.append({"y": y, **_gradients(candidate, candidate.backward(dy.astype(dtype)))})
    wanted = found[1]
    errors = {key: relative_error(value.astype(np.float64), wanted[key]) for key, value in found[0].items()}
    return [Result(kind, key, error, tolerance) for key, error in errors.items()]


class PlantedBug(Layer):
    """A layer whose backward pass is slightly wrong, to see whether a check notices.

    One element, picked at random, of the gradient of ``tensor`` ("x" or a parameter's name) is off by a
    thousandth of that gradient's largest. Everything else is the wrapped layer's.
    """

    def __init__(self, layer: Layer, tensor: str, rng: np.random.Generator | int = 0) -> None:
        known = ["x", *layer.parameters()]
        if tensor not in known:
            raise ValueError(f"PlantedBug: there is no tensor {tensor!r}, only {', '.join(known)}")
        self._layer, self._tensor = layer, tensor
        self._rng = check_generator("PlantedBug", rng)

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        return self._layer.forward(x, training=training, record=record)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        dx = self._layer.backward(dy)
        if self._tensor == "x":
            return _disturbed(dx, self._rng)
        parameter = self._layer.parameters()[self._tensor]
        parameter.grad[...] = _disturbed(parameter.grad, self._rng)
        return dx

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return self._layer.output_shape(input_shape)

    def layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        return self._layer.layers(prefix)

    def parameters(self) -> dict[str, Parameter]:
        return self._layer.parameters()

    def state(self) -> dict[str, np.ndarray]:
        return self._layer.state()


class PlantedLossBug(Loss):
    """A loss whose gradient is wrong in one element, as ``PlantedBug`` does it to layers."""

    def __init__(self, loss: Loss, rng: np.random.Generator | int = 0) -> None:
        self._loss = loss
        self._rng = check_generator("PlantedLossBug", rng)

    def forward(
        self,
        prediction: np.ndarray,
        target: np.ndarray,
        sample_weight: np.ndarray | None = None,
        record: bool = True,
    ) -> float:
        return self._loss.forward(prediction, target, sample_weight, record)

    def backward(self) -> np.ndarray:
        return _disturbed(self._loss.backward(), self._rng)


def _disturbed(gradient: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    wrong = gradient.copy()
    wrong.flat[rng.integers(wrong.size)] += 1e-3 * max(float(np.abs(gradient).max()), 1e-3)
    return wrong


def _gradients(layer: Layer, dx: np.ndarray) -> dict[str, np.ndarray]:
    """Copies of the input's gradient and the trainable parameters' gradients, by name."""
    kept = {name: p.grad.copy() for name, p in layer.parameters().items() if p.trainable}
    return {"x": dx.copy(), **kept}


def _compare(
    kind: str,
    layer: Layer,
    x: np.ndarray,
    output: Function,
    dy: np.ndarray | float,
    analytic: dict[str, np.ndarray],
    tensors: Sequence[str] | None,
    eps: float,
    tolerance: float,
) -> list[Result]:
    wanted = list(analytic if tensors is None else tensors)
    unknown = [tensor for tensor in wanted if tensor not in analytic]
    if unknown:
        raise ValueError(f"{kind}: there is no tensor {unknown[0]!r} to check, only {', '.join(analytic)}")
    results = []
    for tensor in wanted:
        f, at = output, x
        if tensor != "x":
            data = layer.parameters()[tensor].data
            at = data.copy()

            def f(values: np.ndarray, data: np.ndarray = data) -> np.ndarray | float:
                data[...] = values
                return output(x)

        error = _error(analytic[tensor], f, at, dy, eps, tolerance)
        if tensor != "x":
            data[...] = at
        results.append(Result(kind, tensor, error, tolerance))
    return results


def _error(
    analytic: np.ndarray, f: Function, x: np.ndarray, dy: np.ndarray | float, eps: float, tolerance: float
) -> float:
    error = relative_error(analytic, numerical_gradient(f, x, eps, dy))
    if error <= tolerance:
        return error
    return min(error, relative_error(analytic, numerical_gradient(f, x, eps / 10, dy)))


@contextmanager
def _as_before(layer: Layer) -> Iterator[Callable[[], None]]:
    """Yields a function that rewinds buffers and generators; in the end parameters and gradients too."""
    parameters = {name: (p, p.data.copy(), p.grad.copy()) for name, p in layer.parameters().items()}
    buffers = {name: array.copy() for name, array in layer.state().items()}
    generators = [
        (inner.rng, copy.deepcopy(inner.rng.bit_generator.state))
        for _, inner in layer.layers()
        if hasattr(inner, "rng")
    ]

    def rewind() -> None:
        for name, array in layer.state().items():
            array[...] = buffers[name]
        for generator, state in generators:
            generator.bit_generator.state = state

    try:
        layer.zero_grad()
        yield rewind
    finally:
        rewind()
        for parameter, data, grad in parameters.values():
            parameter.data[...] = data
            parameter.grad[...] = grad


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: prints the table and returns its exit code."""
    from minicnn import _gradcheck_table

    return _gradcheck_table.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
