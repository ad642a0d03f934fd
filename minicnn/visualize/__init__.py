"""Pictures of training, of weights and of how layers compute.

``plot_history``, ``plot_learning_rate_range``, ``filter_grid`` and ``feature_maps`` write one PNG file, whole
or not at all. The other functions draw on axes that the caller made: they are for notebooks and for figures
with several panels. None of them touches a global state of matplotlib, so that they may be called from any
thread and without a display.
"""

from minicnn.visualize.curves import plot_history, plot_learning_rate_range
from minicnn.visualize.diagrams import computation, number_grid, receptive_field, signed_map, wiring
from minicnn.visualize.roofline import roofline
from minicnn.visualize.tensors import feature_maps, filter_grid, kernel_grid, mosaic

__all__ = [
    "computation",
    "feature_maps",
    "filter_grid",
    "kernel_grid",
    "mosaic",
    "number_grid",
    "plot_history",
    "plot_learning_rate_range",
    "receptive_field",
    "roofline",
    "signed_map",
    "wiring",
]
