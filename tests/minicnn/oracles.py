"""Between this library's layout and that of PyTorch and onnx: images NHWC <-> NCHW, filters HWIO <-> OIHW."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def to_nchw(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def to_nhwc(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def to_oihw(w: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(w.transpose(3, 2, 0, 1))


def to_hwio(w: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(w.transpose(2, 3, 1, 0))


def torch_leaf(x: np.ndarray) -> Any:
    """A PyTorch tensor with this array's numbers that collects a gradient."""
    torch = pytest.importorskip("torch")
    return torch.tensor(np.ascontiguousarray(x)).requires_grad_()


def torch_image(x: np.ndarray) -> Any:
    """The same for images: NHWC here, NCHW there."""
    return torch_leaf(to_nchw(x))


def from_torch_image(tensor: Any) -> np.ndarray:
    return to_nhwc(tensor.detach().numpy())


def assert_close(actual: np.ndarray, expected: np.ndarray, terms: int = 1) -> None:
    """Equal up to the rounding of a sum of ``terms`` products of numbers near 1, in the actual dtype."""
    assert actual.dtype == expected.dtype
    tolerance = 8 * np.finfo(actual.dtype).eps * max(terms, 8)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
