"""A network's steps for the Inside page: names, shapes, parameters, and how their maps are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from minicnn.layers.conv import Conv2D
from minicnn.summary import multiply_adds
from poster_genre.explain.layer_trace import images
from poster_genre.explain.layer_trace.descriptions import (
    branch_title,
    is_last_dense,
    member_title,
    step_description,
    step_title,
)
from poster_genre.explain.layer_trace.steps import Step, image_shape
from poster_genre.explain.layer_trace.trace import Trace

MAX_MAPS = 2048  # a step with more channels than this is not drawn as a strip of maps


def describe_steps(trace: Trace) -> list[dict[str, Any]]:
    """The schema ``Step`` of the OpenAPI document for each step."""
    return [describe_step(trace, step) for step in trace.steps]


def describe_step(trace: Trace, step: Step) -> dict[str, Any]:
    """The schema ``Step`` of the OpenAPI document."""
    height, width, channels = image_shape(step.shape)
    shrunk_by = images.reduction_factor(height, width)
    tile_height, tile_width = height // shrunk_by, width // shrunk_by
    layer = step.layer
    parameters = {} if layer is None or layer.children() else layer.parameters()
    return {
        "step": step.index,
        "name": step.name,
        "kind": "Input" if layer is None else type(layer).__name__,
        "title": step_title(trace.steps, step),
        "text": step_description(trace.steps, step),
        "group": step.group,
        "branch": branch_title(step.branch),
        "network": member_title(trace.steps, step.member),
        "inputs": list(step.inputs),
        "height": height,
        "width": width,
        "channels": channels,
        "image": len(step.shape) == 3,
        "parameters": {name: list(p.data.shape) for name, p in parameters.items()},
        "count": sum(p.data.size for p in parameters.values()),
        "multiply_adds": multiply_adds(layer, (1, *step.shape)) if parameters and layer is not None else 0,
        "most_varied": most_varied_map(trace.image(step.index)),
        "scale": images.display_scale(trace.image(step.index)),
        "tile": [tile_height, tile_width],
        "columns": images.atlas_columns(tile_height, tile_width, channels),
        "shown": channels <= MAX_MAPS,
        "filters": has_filters(step),
        "genre_scores": is_last_dense(trace.steps, step),
    }


def most_varied_map(image: np.ndarray) -> int:
    """The channel of (height, width, channels) whose numbers differ most from one another."""
    return int(image.std(axis=(0, 1)).argmax())


def has_filters(step: Step) -> bool:
    """Whether the step has filters over the poster's colours."""
    return isinstance(step.layer, Conv2D) and step.inputs == (0,) and step.layer.groups == 1
