"""Initial weights: each function takes (shape, rng, dtype) and returns a new array.

A layer's output should have the variance of its input. A sum of ``fan_in`` products with independent weights
multiplies it by ``fan_in * Var(weight)``; Glorot's variance is a compromise with the same condition for the
backward pass, He's makes up for the half that ReLU sets to zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minicnn.argument_checks import real

Shape = tuple[int, ...]
Initializer = Callable[..., np.ndarray]


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of a Dense weight (in, out) or a Conv2D weight (kh, kw, in/groups, out)."""
    if len(shape) < 2:
        raise ValueError(
            f"an initialiser that scales by fan needs a weight of 2 or more dimensions, got {shape}"
        )
    receptive = math.prod(shape[:-2])
    return receptive * shape[-2], receptive * shape[-1]


def _normal(shape: Shape, rng: np.random.Generator, std: float, dtype: Any) -> np.ndarray:
    return (rng.standard_normal(shape) * std).astype(dtype)


def _uniform(shape: Shape, rng: np.random.Generator, limit: float, dtype: Any) -> np.ndarray:
    return rng.uniform(-limit, limit, shape).astype(dtype)


def he_normal(shape: Shape, rng: np.random.Generator, dtype: Any = np.float32) -> np.ndarray:
    """N(0, 2 / fan_in). He et al. 2015, "Delving Deep into Rectifiers", eq. 10."""
    return _normal(shape, rng, math.sqrt(2 / fans(shape)[0]), dtype)


def he_uniform(shape: Shape, rng: np.random.Generator, dtype: Any = np.float32) -> np.ndarray:
    """U(-a, a) with a = sqrt(6 / fan_in), the variance of ``he_normal``."""
    return _uniform(shape, rng, math.sqrt(6 / fans(shape)[0]), dtype)


def glorot_normal(shape: Shape, rng: np.random.Generator, dtype: Any = np.float32) -> np.ndarray:
    """N(0, 2 / (fan_in + fan_out)). Glorot and Bengio 2010, eq. 12."""
    return _normal(shape, rng, math.sqrt(2 / sum(fans(shape))), dtype)


def glorot_uniform(shape: Shape, rng: np.random.Generator, dtype: Any = np.float32) -> np.ndarray:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010, eq. 16; Keras's default."""
    return _uniform(shape, rng, math.sqrt(6 / sum(fans(shape))), dtype)


def normal(std: float) -> Initializer:
    """An initialiser that draws from N(0, std**2). Raises ValueError for a negative or infinite ``std``."""
    std = real("normal", "std", std, at_least=0)
    return lambda shape, rng, dtype=np.float32: _normal(shape, rng, std, dtype)


def uniform(limit: float) -> Initializer:
    """An initialiser that draws from U(-limit, limit). Raises ValueError for a negative or infinite one."""
    limit = real("uniform", "limit", limit, at_least=0)
    return lambda shape, rng, dtype=np.float32: _uniform(shape, rng, limit, dtype)


def constant(value: float) -> Initializer:
    """An initialiser that fills with ``value``. Raises ValueError where that is NaN or infinite."""
    value = real("constant", "value", value)
    return lambda shape, rng, dtype=np.float32: np.full(shape, value, dtype)


def zeros(shape: Shape, rng: np.random.Generator | None = None, dtype: Any = np.float32) -> np.ndarray:
    """All 0."""
    return np.zeros(shape, dtype)


def ones(shape: Shape, rng: np.random.Generator | None = None, dtype: Any = np.float32) -> np.ndarray:
    """All 1."""
    return np.ones(shape, dtype)


def initial_weights(name: str, init: Any, shape: Shape, rng: Any, dtype: np.dtype) -> np.ndarray:
    """What ``init`` returns for a weight of the layer called ``name``.

    Raises TypeError where ``init`` cannot be called or gives no array of ``dtype``, ValueError where that
    array has another shape than ``shape`` or is not finite.
    """
    if not callable(init):
        raise TypeError(
            f"{name}: init must be a function of (shape, rng, dtype) such as minicnn.init.he_normal, "
            f"got {init!r}"
        )
    weights = init(shape, check_generator(name, rng), dtype)
    if not isinstance(weights, np.ndarray) or weights.dtype != dtype:
        actual = weights.dtype if isinstance(weights, np.ndarray) else type(weights).__name__
        raise TypeError(f"{name}: init must return an array of {dtype}, the dtype it is given, got {actual}")
    if weights.shape != shape:
        raise ValueError(f"{name}: init must return an array of shape {shape}, got {weights.shape}")
    if not np.isfinite(weights).all():
        raise ValueError(f"{name}: init returned weights that are NaN or infinite; use a smaller spread")
    return weights


def check_generator(name: str, rng: Any) -> np.random.Generator:
    """A Generator, or an integer seed made into one. None is refused: weights would not be reproducible."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    raise TypeError(f"{name}: rng must be a numpy.random.Generator or a seed (an integer >= 0), got {rng!r}")
