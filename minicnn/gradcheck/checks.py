"""Gradient checks: a hand-written backward pass against differences of its forward pass.

A derivative is the limit of (f(x + h) - f(x - h)) / 2h, so a backward pass can be checked with forward passes
alone. That is slow, so it is done on small arrays, in float64, where h can be small before rounding is as
large as the difference. Three rules make the check mean something:

* The upstream gradient dy is random. With all ones a batch norm's input gradient is zero, and a wrong
  backward pass would look right.
* The input stays away from kinks and ties (ReLU at 0, two equal maxima in a pool), which have no derivative.
* The checker is checked: ``planted_bugs`` makes one gradient slightly wrong, and that must be reported.

A backward pass must also add to gradients. So every check goes forward and backward a second time, without
``zero_grad``: the parameters' gradients must then be twice what they were.

The kernels that train a network are float32 only, too coarse for central differences. ``check_float32``
compares them with a float64 layer that computes the same and has been checked.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from minicnn.gradcheck.numerical import STEP, Function, numerical_gradient, relative_error, spread_input
from minicnn.init import check_generator
from minicnn.layer import Layer
from minicnn.losses import Loss

TOLERANCE = 1e-6
# float32 has 7 digits, of which sums, and Winograd's transforms, cost one or two. A planted bug is of 1e-3.
FLOAT32_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Result:
    """The error of one gradient: that of the parameter called ``tensor``, or of the input ("x")."""

    layer: str
    tensor: str
    error: float
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance  # False for nan

    @property
    def verdict(self) -> str:
        """ "ok" or "FAIL"."""
        return "ok" if self.passed else "FAIL"


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
        dy = rng.standard_normal(layer.forward(inputs, training=training, record=False).shape)

        def step() -> np.ndarray:
            rewind()
            layer.forward(inputs, training=training, record=True)
            return layer.backward(dy)

        analytic, repeats = _gradients_twice(layer, step)

        def output(values: np.ndarray) -> np.ndarray:
            rewind()
            return layer.forward(values, training=training, record=False)

        return _compare(kind, layer, inputs, output, dy, analytic, repeats, tensors, eps, tolerance)


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

        def step() -> np.ndarray:
            rewind()
            loss.forward(model.forward(x, training=training, record=True), target)
            return model.backward(loss.backward())

        analytic, repeats = _gradients_twice(model, step)

        def value(values: np.ndarray) -> float:
            rewind()
            return loss.forward(model.forward(values, training=training, record=False), target, record=False)

        kind = name or type(model).__name__
        return _compare(kind, model, x, value, 1.0, analytic, repeats, tensors, eps, tolerance)


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
    dy = rng.standard_normal(twin.output_shape(inputs.shape)).astype(np.float32)
    expected, _ = _outputs_and_gradients(twin, inputs.astype(np.float64), dy.astype(np.float64), training)
    actual, repeats = _outputs_and_gradients(layer, inputs, dy, training)
    return [
        Result(kind, key, _larger(relative_error(value, expected[key]), repeats[key]), tolerance)
        for key, value in actual.items()
    ]


def _gradients(layer: Layer, dx: np.ndarray) -> dict[str, np.ndarray]:
    """Copies of the input's gradient and the trainable parameters' gradients, by name."""
    return {"x": dx.copy()} | {name: p.grad.copy() for name, p in layer.parameters().items() if p.trainable}


def _outputs_and_gradients(
    layer: Layer, inputs: np.ndarray, dy: np.ndarray, training: bool
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The output "y" and all gradients of one step, and the error with which a second step repeats them."""
    outputs: list[np.ndarray] = []
    with _as_before(layer) as rewind:

        def step() -> np.ndarray:
            rewind()
            outputs.append(layer.forward(inputs, training=training, record=True).copy())
            return layer.backward(dy)

        gradients, repeats = _gradients_twice(layer, step)
    return {"y": outputs[0], **gradients}, {"y": relative_error(outputs[1], outputs[0]), **repeats}


def _gradients_twice(
    layer: Layer, step: Callable[[], np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The gradients after one ``step``, which returns that of the input, and the error of a second step.

    After an equal second step a parameter's gradient must be twice what it was; the input's belongs to its
    own step and must be the same again.
    """
    first = _gradients(layer, step())
    second = _gradients(layer, step())
    expected = {name: g if name == "x" else 2 * g for name, g in first.items()}
    return first, {name: relative_error(second[name], g) for name, g in expected.items()}


def _larger(one: float, other: float) -> float:
    return float(np.maximum(one, other))  # nan if one is


def _compare(
    kind: str,
    layer: Layer,
    x: np.ndarray,
    output: Function,
    dy: np.ndarray | float,
    analytic: dict[str, np.ndarray],
    repeats: dict[str, float],
    tensors: Sequence[str] | None,
    eps: float,
    tolerance: float,
) -> list[Result]:
    checked = list(analytic if tensors is None else tensors)
    unknown = [tensor for tensor in checked if tensor not in analytic]
    if unknown:
        raise ValueError(f"{kind}: there is no tensor {unknown[0]!r} to check, only {', '.join(analytic)}")
    results = []
    for tensor in checked:
        f, point = output, x
        if tensor != "x":
            data = layer.parameters()[tensor].data
            point = data.copy()

            def f(values: np.ndarray, data: np.ndarray = data) -> np.ndarray | float:
                data[...] = values
                return output(x)

        error = _error(analytic[tensor], f, point, dy, eps, tolerance)
        if tensor != "x":
            data[...] = point
        results.append(Result(kind, tensor, _larger(error, repeats[tensor]), tolerance))
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
