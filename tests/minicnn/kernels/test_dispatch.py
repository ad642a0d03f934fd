"""The backend in force, and that choosing one never runs another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minicnn.kernels
from minicnn.kernels import dispatch
from minicnn.layers.conv import Conv2D
from minicnn.layers.pooling import MaxPool2D
from minicnn.shapes import ConvGeometry, PoolGeometry

ONES = np.ones((1, 5, 4, 1), np.float32)
WEIGHTS = np.ones((3, 3, 1, 2), np.float32)


@pytest.fixture(autouse=True)
def _undecided(monkeypatch):
    monkeypatch.delenv("MINICNN_BACKEND", raising=False)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    dispatch.set_backend(None)
    yield
    dispatch.set_backend(None)


def test_numba_is_the_default():
    assert dispatch.current_backend() == "numba"


def test_numpy_is_the_default_where_jit_is_disabled(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert dispatch.current_backend() == "numpy"
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    assert dispatch.current_backend() == "numba"


def test_an_argument_comes_before_set_backend_and_that_before_the_environment(monkeypatch):
    monkeypatch.setenv("MINICNN_BACKEND", "naive")
    assert dispatch.current_backend() == "naive"
    dispatch.set_backend("numpy")
    assert dispatch.current_backend() == "numpy"
    assert dispatch.current_backend("numba") == "numba"
    dispatch.set_backend(None)
    assert dispatch.current_backend() == "naive"


def test_an_unknown_backend_is_refused_wherever_it_comes_from(monkeypatch):
    with pytest.raises(ValueError, match='backend must be "naive", "numpy" or "numba", got \'gpu\''):
        dispatch.current_backend("gpu")
    with pytest.raises(ValueError, match="backend must be"):
        dispatch.set_backend("gpu")
    monkeypatch.setenv("MINICNN_BACKEND", "gpu")
    with pytest.raises(ValueError, match="environment variable MINICNN_BACKEND must be"):
        dispatch.current_backend()


@pytest.mark.parametrize("backend", ["naive", "numpy"])
def test_the_other_backends_never_load_numba(backend):
    program = (
        "import sys, numpy as np\n"
        "from minicnn.layers.conv import Conv2D\n"
        "from minicnn.layers.normalization import BatchNorm\n"
        "from minicnn.layers.pooling import AveragePool2D, MaxPool2D\n"
        "from minicnn.kernels.runtime.thread_count import set_threads\n"
        "set_threads(1)\n"
        "x = np.ones((2, 4, 4, 1), np.float32)\n"
        "for layer in Conv2D(1, 2, 3, rng=0), BatchNorm(1), AveragePool2D(), MaxPool2D():\n"
        "    layer.backward(layer(x, training=True))\n"
        "sys.exit('numba' in sys.modules)\n"
    )
    environment = {**os.environ, "MINICNN_BACKEND": backend}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_a_layer_runs_on_the_backend_it_was_built_with(monkeypatch):
    used = []
    monkeypatch.setattr(
        dispatch, "import_module", lambda name: used.append(name) or __import__(name, fromlist=["x"])
    )
    x = np.ones((1, 4, 4, 1), np.float32)
    dispatch.set_backend("numpy")
    Conv2D(1, 1, 3, rng=0, backend="naive")(x)
    MaxPool2D()(x)
    assert used == ["minicnn.kernels.reference.naive", "minicnn.kernels.reference.vectorized"]


def test_the_guide_to_the_kernels_names_every_file_once() -> None:
    folder = Path(minicnn.kernels.__file__).parent
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob("*.py")]
    listed = re.findall(r"^    ([\w/]+\.py) ", minicnn.kernels.__doc__ or "", re.MULTILINE)
    assert sorted(listed) == sorted(path for path in paths if not path.endswith("__init__.py"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda g: dispatch.conv2d_forward(ONES[:, :-1], WEIGHTS, None, g, "numba"),
            "conv2d_forward: x must",
        ),
        (lambda g: dispatch.conv2d_forward(ONES, WEIGHTS[:2], None, g, "numba"), "conv2d_forward: w must"),
        (
            lambda g: dispatch.conv2d_backward_input(ONES, WEIGHTS, g, "numba"),
            "conv2d_backward_input: dy must",
        ),
        (
            lambda g: dispatch.conv2d_backward_weight(ONES, ONES, g, "numba"),
            "conv2d_backward_weight: dy must",
        ),
    ],
)
def test_arrays_that_do_not_fit_the_geometry_never_reach_a_kernel(call, message):
    geometry = ConvGeometry.of(ONES.shape, WEIGHTS.shape)
    with pytest.raises(ValueError, match=message + r".* is 1 -> 2 channels, 5x4 -> 3x2 pixels, 3x3$"):
        call(geometry)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: dispatch.maxpool2d_forward(ONES[:, 1:], g, "numba"), "maxpool2d_forward: x must"),
        (lambda g: dispatch.averagepool2d_forward(ONES[0], g, "numba"), "averagepool2d_forward: x must"),
        (lambda g: dispatch.maxpool2d_backward(ONES, ONES, g, "numba"), "maxpool2d_backward: dy must"),
        (lambda g: dispatch.averagepool2d_backward(ONES, g, "numba"), "averagepool2d_backward: dy must"),
    ],
)
def test_arrays_that_do_not_fit_the_windows_never_reach_a_pooling_kernel(call, message):
    geometry = PoolGeometry.of(ONES.shape, 2)
    with pytest.raises(ValueError, match=message + r".* is 5x4 -> 2x2 pixels, 2x2, stride=\(2, 2\)$"):
        call(geometry)
