"""The test cases that come with onnx: a node, its inputs, and the outputs every onnx runtime must produce.

Two collections are used: "node", which onnx computes when it loads them, and "pytorch-converted", which are
files in the onnx package and have the grouped, depthwise and dilated convolutions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@dataclass(frozen=True, eq=False)
class Case:
    """One node: its operation, attributes, input and output arrays. Images are (N, C, H, W)."""

    operation: str
    attributes: dict[str, Any]
    inputs: list[Any]
    outputs: list[Any]


def load_cases() -> dict[str, Case]:
    """All cases of a single node, by name."""
    pytest.importorskip("onnx")
    from onnx.backend.test.loader import load_model_tests

    cases = {}
    with warnings.catch_warnings():
        # onnx computes its cases while loading them, those of overflowing casts too.
        warnings.simplefilter("ignore")
        for kind, read in (("node", _read_node), ("pytorch-converted", _read_folder)):
            for loaded in load_model_tests(kind=kind):
                case = read(loaded)
                if case is not None:
                    cases[loaded.name] = case
    return cases


def _read_node(case: Any) -> Case | None:
    if len(case.model.graph.node) != 1:
        return None
    inputs, outputs = case.data_sets[0]
    return _case(case.model.graph.node[0], list(inputs), list(outputs))


def _read_folder(case: Any) -> Case | None:
    """The model with its weights as initializers, and its inputs and outputs in files beside it."""
    import onnx
    from onnx import numpy_helper

    folder = Path(case.model_dir)
    graph = onnx.load(folder / "model.onnx").graph
    if len(graph.node) != 1:
        return None

    def arrays(pattern: str) -> list[np.ndarray]:
        files = sorted((folder / "test_data_set_0").glob(pattern))
        return [numpy_helper.to_array(onnx.load_tensor(file)) for file in files]

    weights = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    return _case(graph.node[0], arrays("input_*.pb") + weights, arrays("output_*.pb"))


def _case(node: Any, inputs: list[Any], outputs: list[Any]) -> Case:
    from onnx import helper

    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return Case(node.op_type, attributes, inputs, outputs)
