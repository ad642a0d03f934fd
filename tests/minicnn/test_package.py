"""``import minicnn``: all names are available, and no heavy module is loaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import minicnn

HEAVY = ("numba", "llvmlite", "matplotlib", "pandas", "PIL", "scipy", "tqdm", "threadpoolctl", "dataclasses")


def loaded_by(program: str) -> set[str]:
    """The modules that a program loads in a process of its own."""
    code = f"import sys, numpy; before = set(sys.modules)\n{program}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", ["minicnn", "poster_genre"])
def test_importing_a_package_loads_nothing_heavy(package):
    loaded = loaded_by(f"import {package}")
    assert package in loaded
    assert not loaded & set(HEAVY)


def test_what_a_program_does_not_name_is_not_loaded():
    loaded = loaded_by("import minicnn; minicnn.Conv2D")
    assert not loaded & {f"minicnn.{name}" for name in ("training", "data", "serialize", "losses", "optim")}


def type_checked_imports():
    """name: module, as type checkers and editors see them."""
    tree = ast.parse(Path(minicnn.__file__).read_text())
    return {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("minicnn.")
        for alias in node.names
    }


def test_every_name_is_the_one_that_type_checkers_see():
    seen = type_checked_imports()
    assert sorted(seen) == sorted(minicnn.__all__)
    for name, module in seen.items():
        assert getattr(minicnn, name) is getattr(import_module(module), name)


def test_a_star_import_brings_every_name():
    names: dict[str, object] = {}
    exec("from minicnn import *", names)
    assert set(minicnn.__all__) <= names.keys()


def test_names_and_modules_can_be_listed_and_others_are_refused():
    assert {*minicnn.__all__, "metrics", "gradcheck"} <= set(dir(minicnn))
    with pytest.raises(AttributeError, match=r"module 'minicnn' has no attribute 'Conv3D'"):
        _ = minicnn.Conv3D


def test_modules_are_attributes_without_an_import_of_their_own():
    loaded = loaded_by("import minicnn; minicnn.metrics.top1; minicnn.losses.Loss")
    assert {"minicnn.metrics", "minicnn.losses"} <= loaded


@pytest.mark.parametrize("first", ["import minicnn.summary", "from minicnn.summary import layer_rows"])
def test_summary_is_the_function_although_its_module_has_the_same_name(first):
    assert loaded_by(f"{first}; import minicnn; assert callable(minicnn.summary)")
