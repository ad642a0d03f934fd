"""Settings as text: equal for equal settings, in any process, and different for different ones."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np
import pytest

from minicnn.layers.dense import Dense
from minicnn.serialize import to_json
from minicnn.training.settings_json import as_json_values

RATE = 0.5


@dataclass
class Options:
    rate: float = 0.1
    sizes: tuple = (1, 2)
    inner: object = field(default=None)


class Plain:
    def __init__(self, rate, table=()):
        self.rate, self.table, self._cache = rate, table, object()

    def method(self, x):
        return x * self.rate


def global_rate(x):
    return x * RATE


def words(x):
    return x in {"comedy", "drama", "horror", "western"}


def recursive(n):
    return n and recursive(n - 1)


EQUAL = {
    "number": lambda: np.float32(0.5),
    "array": lambda: np.arange(5),
    "dataclass": lambda: Options(inner=Options(2)),
    "object": lambda: Plain(3, table=np.ones(3)),
    "method": lambda: Plain(3).method,
    "partial": lambda: partial(words, x="drama"),
    "cached function": lambda: lru_cache(words),
    "ufunc": lambda: np.tanh,
    "class": lambda: Plain,
    "layer": lambda: Dense(2, 2, rng=0),
    "nan": lambda: float("nan"),
    "generator": lambda: np.random.default_rng(3),
    "recursive function": lambda: recursive,
}


@pytest.mark.parametrize("make", EQUAL.values(), ids=EQUAL)
def test_equal_settings_have_equal_descriptions_that_json_holds(make):
    assert as_json_values(make()) == as_json_values(make())
    to_json(as_json_values(make()))


DIFFERENT = {
    "dtype": (np.zeros(2, np.float32), np.zeros(2, np.int32)),
    "inner dataclass": (Options(inner=Options(1)), Options(inner=Options(2))),
    "attribute": (Plain(1), Plain(2)),
    "array in an object": (Plain(1, np.zeros(3)), Plain(1, np.ones(3))),
    "object of a method": (Plain(1).method, Plain(2).method),
    "name of a method": (np.float64(1).sum, np.float64(1).mean),
    "builtin": (np.tanh, np.sin),
    "constant of an inner function": (lambda: lambda x: x + 1, lambda: lambda x: x + 2),
    "attribute that is read": (lambda x: x.min, lambda x: x.max),
    "operation": (lambda x: x + 1, lambda x: x - 1),
    "default": (lambda x=1: x, lambda x=2: x),
    "keyword default": (lambda *, x=1: x, lambda *, x=2: x),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_different_settings_have_different_descriptions(pair):
    assert as_json_values(pair[0]) != as_json_values(pair[1])


def test_a_constant_of_the_module_counts(monkeypatch):
    before = as_json_values(global_rate)
    monkeypatch.setitem(globals(), "RATE", 0.6)
    assert as_json_values(global_rate) != before


def test_an_object_that_contains_itself_ends():
    loop = Plain(1)
    loop.rate = loop
    assert as_json_values(loop)["rate"] == "Plain"


def test_another_process_describes_alike():
    program = (
        "from tests.minicnn.training import test_settings_json as t\n"
        "from minicnn.serialize import to_json\n"
        "print(to_json([t.as_json_values(make()) for make in t.EQUAL.values()]))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(texts) == 1
