"""Output-size arithmetic, and the error messages about shapes and dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Padding = str | int | Pair | Pads

FLOAT_TYPES = (np.dtype(np.float32), np.dtype(np.float64))


def check_dtype(name: str, dtype: Any) -> np.dtype:
    """float32 or float64 as a dtype object; anything else is a TypeError that names the layer."""
    try:
        found = None if dtype is None else np.dtype(dtype)  # to NumPy None means float64
    except TypeError:
        found = None
    if found is None or found not in FLOAT_TYPES:
        raise TypeError(f"{name}: expected dtype float32 or float64, got {dtype!r}")
    return found


def check_shape(name: str, actual: tuple[int, ...], wanted: Sequence[int | str]) -> None:
    """Raise unless ``actual`` fits ``wanted``: numbers where the size is fixed, letters where it is free."""
    if len(actual) != len(wanted) or any(
        isinstance(size, int) and size != found for size, found in zip(wanted, actual, strict=True)
    ):
        said = ", ".join(str(size) for size in wanted) + ("," if len(wanted) == 1 else "")
        raise ValueError(f"{name}: expected shape ({said}), got {actual}")


def check_array(name: str, x: Any, shape: Sequence[int | str], dtype: Any = None) -> None:
    """Raise unless ``x`` is an array of this shape and dtype.

    ``shape`` holds a number where the size is fixed and a letter where it is free, as in
    ``("N", "H", "W", 3)``. Without ``dtype`` float32 and float64 are both allowed.
    """
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"{name}: expected a NumPy array, got {type(x).__name__}; convert it with numpy.asarray"
        )
    check_shape(name, x.shape, shape)
    if x.size == 0:
        raise ValueError(f"{name}: got an empty array of shape {x.shape}; every dimension must be at least 1")
    if dtype is None:
        if x.dtype not in FLOAT_TYPES:
            raise TypeError(
                f"{name}: expected float32 or float64, got {x.dtype}; convert it with x.astype(...)"
            )
    elif x.dtype != dtype:
        other = f" or build the layer with dtype={x.dtype}" if x.dtype in FLOAT_TYPES else ""
        raise TypeError(
            f"{name}: expected {np.dtype(dtype)}, got {x.dtype}; convert the input with "
            f"x.astype({np.dtype(dtype)}){other}"
        )


def check_batch(name: str, x: Any, minimum_rank: int = 1) -> None:
    """Raise unless ``x`` is a float array of ``minimum_rank`` or more dimensions, none of them empty."""
    if isinstance(x, np.ndarray) and x.ndim < minimum_rank:
        raise ValueError(
            f"{name}: expected a batch of {minimum_rank} or more dimensions, got shape {x.shape}"
        )
    check_array(name, x, x.shape if isinstance(x, np.ndarray) else ())


def pair(name: str, what: str, value: Any, minimum: int = 1) -> Pair:
    """An int or a pair of ints as (vertical, horizontal), each at least ``minimum``."""
    both = (value, value) if isinstance(value, (int, np.integer)) else value
    if (
        not isinstance(both, (tuple, list))
        or len(both) != 2
        or not all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in both)
    ):
        raise TypeError(f"{name}: {what} must be an integer or a pair of integers, got {value!r}")
    if min(both) < minimum:
        raise ValueError(f"{name}: {what} must be at least {minimum}, got {value!r}")
    return int(both[0]), int(both[1])


def positive_int(name: str, what: str, value: Any) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{name}: {what} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name}: {what} must be at least 1, got {value}")
    return int(value)


def check_padding(name: str, padding: Any) -> Padding:
    """``"same"``, ``"valid"``, p, (p_vertical, p_horizontal) or ((top, bottom), (left, right)), validated."""
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(
                f'{name}: padding must be "same", "valid", an integer or pairs of them, got {padding!r}'
            )
        return padding
    if (
        isinstance(padding, (tuple, list))
        and len(padding) == 2
        and all(isinstance(side, (tuple, list)) for side in padding)
    ):
        return pair(name, "padding", padding[0], 0), pair(name, "padding", padding[1], 0)
    return pair(name, "padding", padding, 0)


def effective_kernel(kernel: int, dilation: int) -> int:
    """Pixels that a dilated kernel spans: ``(kernel - 1) * dilation + 1``."""
    return (kernel - 1) * dilation + 1


def resolve_padding(
    padding: Padding, size: Pair, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)
) -> Pads:
    """Padding as ((top, bottom), (left, right)) in pixels for an image of ``size`` (height, width).

    "same" is Keras's: the output has ceil(size / stride) pixels, and where the total is odd the extra
    pixel goes to the bottom and to the right.
    """
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        sides = []
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + effective_kernel(k, d) - n, 0)
            sides.append((total // 2, total - total // 2))
        return sides[0], sides[1]
    if isinstance(padding, str):
        raise ValueError(f'padding must be "same", "valid", an integer or pairs of them, got {padding!r}')
    vertical, horizontal = (padding, padding) if isinstance(padding, int) else padding
    if isinstance(vertical, tuple) and isinstance(horizontal, tuple):
        return vertical, horizontal
    return (vertical, vertical), (horizontal, horizontal)  # type: ignore[return-value]


def output_size(
    name: str, size: Pair, kernel: Pair, stride: Pair, pads: Pads, dilation: Pair = (1, 1)
) -> Pair:
    """``floor((n + before + after - effective_kernel) / stride) + 1`` for height and width.

    Raises ValueError where the kernel does not fit into the padded image.
    """
    out = []
    for n, k, s, (before, after), d in zip(size, kernel, stride, pads, dilation, strict=True):
        room = n + before + after - effective_kernel(k, d)
        if room < 0:
            raise ValueError(
                f"{name}: the kernel spans {effective_kernel(kernel[0], dilation[0])}x"
                f"{effective_kernel(kernel[1], dilation[1])} pixels but the padded image has only "
                f"{size[0] + sum(pads[0])}x{size[1] + sum(pads[1])}; use a smaller kernel or more padding"
            )
        out.append(room // s + 1)
    return out[0], out[1]
