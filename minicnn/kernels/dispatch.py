"""Which backend computes: naive, NumPy or compiled kernels.

It is chosen by argument, by ``set_backend`` or by the environment.

    naive   loops over single numbers: the definition (``reference/naive.py``)
    numpy   convolution as one matrix product (``reference/im2col.py``), and whole-array expressions
            (``reference/vectorized.py``)
    numba   compiled kernels; ``algorithms.py`` chooses that of a convolution

Every function is pure: arrays in, new arrays out, no state and no input written to. How windows lie on the
images is a ``ConvGeometry`` or a ``PoolGeometry``. Arrays that do not fit it are a ValueError: compiled
kernels compute addresses from it.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from minicnn.shapes import ConvGeometry, Geometry, PoolGeometry

BACKENDS = ("naive", "numpy", "numba")

# The module under ``minicnn.kernels`` that computes each topic, by backend. A module loads at its first use:
# Numba alone takes half a second.
_MODULES = {
    "naive": {
        "convolution": "reference.naive",
        "pooling": "reference.naive",
        "normalization": "reference.naive",
        "activation": "reference.naive",
        "masking": "reference.vectorized",
        "global_average": "reference.vectorized",
    },
    "numpy": {
        "convolution": "reference.im2col",
        "pooling": "reference.vectorized",
        "normalization": "reference.vectorized",
        "activation": "reference.vectorized",
        "masking": "reference.vectorized",
        "global_average": "reference.vectorized",
    },
    "numba": {
        "convolution": "algorithms",
        "pooling": "compiled.pooling",
        "normalization": "compiled.normalization",
        "activation": "compiled.activation",
        "masking": "compiled.activation",
        "global_average": "compiled.pooling",
    },
}

_chosen: str | None = None


def current_backend(name: str | None = None) -> str:
    """The backend in force: ``name``, else that of ``set_backend``, else ``MINICNN_BACKEND``, else "numba",
    or "numpy" where ``NUMBA_DISABLE_JIT`` would run its loops in Python. Raises ValueError for another name.
    """
    if name is not None:
        return _check(name, "backend")
    if _chosen is not None:
        return _chosen
    requested = os.environ.get("MINICNN_BACKEND")
    if requested:
        return _check(requested, "the environment variable MINICNN_BACKEND")
    return "numba" if os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0") else "numpy"


def set_backend(name: str | None) -> None:
    """Choose the backend of every layer that was built without one; None leaves it to the environment."""
    global _chosen
    _chosen = check_backend(name)


def _check(name: Any, source: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f'{source} must be "naive", "numpy" or "numba", got {name!r}')
    return name


def check_backend(name: str | None) -> str | None:
    """``name`` itself. Raises ValueError unless it is a backend or None, which means the one in force."""
    return None if name is None else _check(name, "backend")


def _module(topic: str, name: str | None) -> Any:
    return import_module(f"minicnn.kernels.{_MODULES[current_backend(name)][topic]}")


def _check_shape(
    call: str, argument: str, array: np.ndarray, expected: tuple[int, ...], geometry: Geometry
) -> None:
    """Raise ValueError unless the array has the shape that the geometry requires."""
    if array.shape != expected:
        raise ValueError(
            f"{call}: {argument} must have shape {expected}, got {array.shape}; the geometry is "
            f"{geometry.describe()}"
        )


def convolution_algorithm(
    geometry: ConvGeometry, dtype: np.dtype, images: int | None = None, backend: str | None = None
) -> tuple[str, str]:
    """The name of the algorithm that ``conv2d_forward`` uses, and the reason for it in a few words.

    "naive" and "im2col" are those of the other backends; ``minicnn.kernels.algorithms`` explains the rest.
    ``images``: how many the batch has; None: a batch large enough for every algorithm. Nothing is computed.
    """
    name = current_backend(backend)
    if name != "numba":
        return {"naive": "naive", "numpy": "im2col"}[name], f"the backend is {name!r}"

    from minicnn.kernels import algorithms

    return algorithms.choose(geometry, dtype, images)


def conv2d_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray | None, geometry: ConvGeometry, backend: str | None = None
) -> np.ndarray:
    """y (N, OH, OW, O) of x (N, H, W, C), w (kh, kw, C/groups, O) and b (O,) or None."""
    _check_shape("conv2d_forward", "x", x, geometry.x_shape(len(x)), geometry)
    _check_shape("conv2d_forward", "w", w, geometry.w_shape, geometry)
    return _module("convolution", backend).conv2d_forward(x, w, b, geometry)


def conv2d_backward_input(
    dy: np.ndarray, w: np.ndarray, geometry: ConvGeometry, backend: str | None = None
) -> np.ndarray:
    """dx (N, H, W, C) of dy (N, OH, OW, O)."""
    _check_shape("conv2d_backward_input", "dy", dy, geometry.y_shape(len(dy)), geometry)
    _check_shape("conv2d_backward_input", "w", w, geometry.w_shape, geometry)
    return _module("convolution", backend).conv2d_backward_input(dy, w, geometry)


def conv2d_backward_weight(
    dy: np.ndarray, x: np.ndarray, geometry: ConvGeometry, backend: str | None = None
) -> np.ndarray:
    """dw (kh, kw, C/groups, O) of dy (N, OH, OW, O) and x (N, H, W, C)."""
    _check_shape("conv2d_backward_weight", "dy", dy, geometry.y_shape(len(dy)), geometry)
    _check_shape("conv2d_backward_weight", "x", x, geometry.x_shape(len(x)), geometry)
    return _module("convolution", backend).conv2d_backward_weight(dy, x, geometry)


def channel_sums(x: np.ndarray, backend: str | None = None) -> np.ndarray:
    """(C,) sums of x (..., C) over every other axis: the gradient of a bias."""
    return _module("normalization", backend).channel_sums(x)


def dense_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray | None, backend: str | None = None
) -> np.ndarray:
    """y (N, out) of x (N, in), w (in, out) and b (out,) or None. Only "numba" has a kernel of its own."""
    if current_backend(backend) == "numba":
        from minicnn.kernels.compiled import dense

        if dense.applies(len(x), w.size):
            return dense.forward(x, w, b)
    y: np.ndarray = x @ w
    if b is not None:
        y += b
    return y


def relu_forward(x: np.ndarray, backend: str | None = None) -> np.ndarray:
    """y = max(x, 0), any shape."""
    return _module("activation", backend).relu_forward(x)


def relu_backward(dy: np.ndarray, y: np.ndarray, backend: str | None = None) -> np.ndarray:
    """dx = dy where y > 0, else 0; y is what ``relu_forward`` returned."""
    return _module("activation", backend).relu_backward(dy, y)


def masked(x: np.ndarray, mask: np.ndarray, scale: float, backend: str | None = None) -> np.ndarray:
    """y = x * scale where the mask, booleans of x's shape, is set, and x * 0 elsewhere."""
    return _module("masking", backend).masked(x, mask, scale)


def global_average(x: np.ndarray, backend: str | None = None) -> np.ndarray:
    """(N, C) means over the pixels of x (N, H, W, C), summed in float64."""
    return _module("global_average", backend).global_average(x)


def maxpool2d_forward(
    x: np.ndarray, geometry: PoolGeometry, backend: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """y (N, OH, OW, C) and argmax of the same shape: the cell ``p * kw + q`` of the first maximum."""
    _check_shape("maxpool2d_forward", "x", x, geometry.x_shape(len(x), x.shape[-1]), geometry)
    return _module("pooling", backend).maxpool2d_forward(x, geometry)


def maxpool2d_backward(
    dy: np.ndarray, argmax: np.ndarray, geometry: PoolGeometry, backend: str | None = None
) -> np.ndarray:
    """dx (N, H, W, C): each dy at the pixel that was the maximum of its window."""
    _check_shape("maxpool2d_backward", "dy", dy, geometry.y_shape(len(dy), dy.shape[-1]), geometry)
    _check_shape("maxpool2d_backward", "argmax", argmax, dy.shape, geometry)
    return _module("pooling", backend).maxpool2d_backward(dy, argmax, geometry)


def averagepool2d_forward(x: np.ndarray, geometry: PoolGeometry, backend: str | None = None) -> np.ndarray:
    """y (N, OH, OW, C): the mean of the image's pixels under each window, padding not counted."""
    _check_shape("averagepool2d_forward", "x", x, geometry.x_shape(len(x), x.shape[-1]), geometry)
    return _module("pooling", backend).averagepool2d_forward(x, geometry)


def averagepool2d_backward(dy: np.ndarray, geometry: PoolGeometry, backend: str | None = None) -> np.ndarray:
    """dx (N, H, W, C): each dy shared out equally among the pixels under its window."""
    _check_shape("averagepool2d_backward", "dy", dy, geometry.y_shape(len(dy), dy.shape[-1]), geometry)
    return _module("pooling", backend).averagepool2d_backward(dy, geometry)


def batchnorm_statistics(x: np.ndarray, backend: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance (C,) of x (M, C), both float64 whatever x is."""
    return _module("normalization", backend).batchnorm_statistics(x)


def batchnorm_normalize(
    x: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    backend: str | None = None,
) -> np.ndarray:
    """y (M, C) of x (M, C); mean and inv_std (C,) float64, gamma and beta (C,)."""
    return _module("normalization", backend).batchnorm_normalize(x, mean, inv_std, gamma, beta)


def batchnorm_sums(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, inv_std: np.ndarray, backend: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """dgamma and dbeta (C,), both float64."""
    return _module("normalization", backend).batchnorm_sums(dy, x, mean, inv_std)


def batchnorm_input_gradient(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    inv_std: np.ndarray,
    gamma: np.ndarray,
    dgamma: np.ndarray,
    dbeta: np.ndarray,
    backend: str | None = None,
) -> np.ndarray:
    """dx (M, C) where mean and inv_std were those of x itself."""
    return _module("normalization", backend).batchnorm_input_gradient(
        dy, x, mean, inv_std, gamma, dgamma, dbeta
    )
