"""Flatten and Identity: the order of the numbers, and gradients of the same."""

from __future__ import annotations

import numpy as np

from minicnn.layers.reshape import Flatten, Identity


def test_flatten_puts_rows_then_columns_then_channels_in_a_row() -> None:
    x = np.arange(24, dtype=np.float64).reshape(2, 2, 3, 2)
    layer = Flatten()
    y = layer.forward(x, training=True)
    np.testing.assert_array_equal(y, [range(12), range(12, 24)])
    np.testing.assert_array_equal(layer.backward(y), x)


def test_the_identity_returns_values_and_gradients_unchanged() -> None:
    layer, x = Identity(), np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(layer.forward(x, training=True), x)
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * x)
