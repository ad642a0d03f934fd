"""Gradient checks: every hand-written backward pass against central differences.

``python -m minicnn.gradcheck`` checks every layer and loss of the library and prints a table.
"""

from minicnn.gradcheck.checks import Result, check_float32, check_layer, check_loss, check_model
from minicnn.gradcheck.numerical import numerical_gradient, relative_error, spread_input
from minicnn.gradcheck.planted_bugs import PlantedBug, PlantedLossBug

__all__ = [
    "PlantedBug",
    "PlantedLossBug",
    "Result",
    "check_float32",
    "check_layer",
    "check_loss",
    "check_model",
    "numerical_gradient",
    "relative_error",
    "spread_input",
]
