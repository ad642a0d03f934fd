"""Checks on settings that are plain numbers, and on saved arrays, with one wording for all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def real(
    name: str,
    what: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """``value`` as a finite float within the given bounds.

    Raises TypeError where it is not a number, ValueError where it is NaN, infinite or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: {what} must be a number, got {value!r}")
    bounds = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    inside = (
        math.isfinite(value)
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (below is None or value < below)
        and (at_most is None or value <= at_most)
    )
    if not inside:
        expected = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
        raise ValueError(f"{name}: {what} must be a finite number {expected or 'of any size'}, got {value!r}")
    return float(value)


def strict_arrays(name: str, actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Raise ValueError unless ``actual`` has exactly the names, shapes and dtypes of ``expected``."""
    missing, unknown = sorted(expected.keys() - actual.keys()), sorted(actual.keys() - expected.keys())
    if missing or unknown:
        raise ValueError(
            f"{name}: the saved arrays do not belong to this model and these settings; "
            f"missing: {', '.join(missing[:5]) or 'none'}; unknown: {', '.join(unknown[:5]) or 'none'}"
        )
    for key, array in expected.items():
        saved = np.asarray(actual[key])
        if saved.shape != array.shape or saved.dtype != array.dtype:
            raise ValueError(
                f"{name}: {key!r} must be {array.dtype} of shape {array.shape}, "
                f"got {saved.dtype} of shape {saved.shape}"
            )
