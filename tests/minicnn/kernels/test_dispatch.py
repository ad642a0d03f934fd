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


@pytest.fixture(autouse=True)
def _undecided(monkeypatch):
    monkeypatch.delenv("MINICNN_BACKEND", raising=False)
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    dispatch.set_backend(None)
    yield
    dispatch.set_backend(None)


def test_numba_is_the_default():
    assert dispatch.backend() == "numba"


def test_numpy_is_the_default_where_jit_is_disabled(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert dispatch.backend() == "numpy"
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    assert dispatch.backend() == "numba"


def test_an_argument_comes_before_set_backend_and_that_before_the_environment(monkeypatch):
    monkeypatch.setenv("MINICNN_BACKEND", "naive")
    assert dispatch.backend() == "naive"
    dispatch.set_backend("numpy")
    assert dispatch.backend() == "numpy"
    assert dispatch.backend("numba") == "numba"
    dispatch.set_backend(None)
    assert dispatch.backend() == "naive"


def test_an_unknown_backend_is_refused_wherever_it_comes_from(monkeypatch):
    with pytest.raises(ValueError, match='backend must be "naive", "numpy" or "numba", got \'gpu\''):
        dispatch.backend("gpu")
    with pytest.raises(ValueError, match="backend must be"):
        dispatch.set_backend("gpu")
    monkeypatch.setenv("MINICNN_BACKEND", "gpu")
    with pytest.raises(ValueError, match="environment variable MINICNN_BACKEND must be"):
        dispatch.backend()


@pytest.mark.parametrize("backend", ["naive", "numpy"])
def test_the_other_backends_never_load_numba(backend):
    program = (
        "import sys, numpy as np\n"
        "from minicnn.layers.conv import Conv2D\n"
        "from minicnn.layers.normalization import BatchNorm\n"
        "from minicnn.layers.pooling import AveragePool2D, MaxPool2D\n"
        "from minicnn.kernels.runtime.threads import set_threads\n"
        "set_threads(1)\n"
        "x = np.ones((2, 4, 4, 1), np.float32)\n"
        "for layer in Conv2D(1, 2, 3, rng=0), BatchNorm(1), AveragePool2D(), MaxPool2D():\n"
        "    layer.backward(layer(x, training=True))\n"
        "sys.exit('numba' in sys.modules)\n"
    )
    environment = {**os.environ, "MINICNN_BACKEND": backend}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_a_layer_runs_on_the_backend_it_was_given(monkeypatch):
    used = []
    monkeypatch.setattr(
        dispatch, "import_module", lambda name: used.append(name) or __import__(name, fromlist=["x"])
    )
    x = np.ones((1, 4, 4, 1), np.float32)
    dispatch.set_backend("numpy")
    Conv2D(1, 1, 3, rng=0, backend="naive")(x)
    MaxPool2D()(x)
    assert used == ["minicnn.kernels.reference.naive", "minicnn.kernels.reference.vectorized"]


def test_the_map_of_the_kernels_names_every_file_once() -> None:
    files = [
        path.name for path in Path(minicnn.kernels.__file__).parent.glob("*.py") if path.name != "__init__.py"
    ]
    assert sorted(re.findall(r"^    (\w+\.py) ", minicnn.kernels.__doc__ or "", re.MULTILINE)) == sorted(
        files
    )
