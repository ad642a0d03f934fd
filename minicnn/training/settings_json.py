"""Any setting as JSON values, so that two runs can be compared.

    numbers, texts, None     themselves
    arrays                   shape, dtype and checksum
    lists, tuples, dicts     their members
    functions written in     name, checksum of the bytecode, defaults, captured variables, and the plain
    Python                   numbers and texts of its module that it names
    other objects            type, and what ``settings()`` returns; without that method a dataclass's fields,
                             otherwise the public attributes and the arguments of the constructor as stored

Two things are not seen. Functions that a function calls are known by name alone, as is everything that is not
written in Python. Of an object without ``settings()``, attributes whose names begin with an underscore are
passed over (unless the constructor has an argument of that name). Such an object should define
``settings() -> dict``. Bytecode, and so the checksum of a function, differs between versions of Python.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import types
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from minicnn.layer import Layer, Parameter

Seen = frozenset[int]


def as_json_values(value: Any, seen: Seen = frozenset()) -> Any:
    """``value`` as JSON values; equal settings give equal ones, also in another process.

    Of layers and parameters only the type counts: their weights change in training. ``seen`` holds the ids of
    the objects around this one, of which only the type is given again.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value
    if isinstance(value, np.generic):
        return as_json_values(value.item())
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {value.dtype}, checksum {zlib.crc32(value.tobytes())}"
    if id(value) in seen or isinstance(value, (Layer, Parameter, type, np.dtype)):
        return _name(value)
    inner = seen | {id(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json_values(member, inner) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json_values(member, inner) for member in value]
    if isinstance(value, (set, frozenset)):
        return sorted(repr(member) for member in value)
    return _callable_as_json(value, inner) or {"type": _name(value), **settings_of(value, inner)}


def settings_of(value: Any, seen: Seen = frozenset()) -> dict[str, Any]:
    """The settings of one object by name, each as JSON values."""
    if callable(getattr(value, "settings", None)):
        own = dict(value.settings())
    elif is_dataclass(value):
        own = {field.name: getattr(value, field.name) for field in fields(value)}
    else:
        own = dict(_attributes(value))
    return {name: as_json_values(member, seen) for name, member in own.items()}


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Public attributes, and constructor arguments stored under their name or that with an underscore."""
    for name, member in getattr(value, "__dict__", {}).items():
        if not name.startswith("_"):
            yield name, member
    try:
        arguments = list(inspect.signature(type(value).__init__).parameters)[1:]
    except ValueError:  # a constructor that is not written in Python
        return
    for name in arguments:
        for attribute in (name, f"_{name}"):
            if hasattr(value, attribute):
                yield name, getattr(value, attribute)
                break


def _name(value: Any) -> str:
    named = value if hasattr(value, "__name__") else type(value)
    return str(getattr(named, "__qualname__", named.__name__))


def _callable_as_json(value: Any, seen: Seen) -> dict[str, Any] | None:
    """A function, method or ``functools.partial``; None for other objects."""
    if isinstance(value, partial):
        return {
            "partial": as_json_values(value.func, seen),
            "arguments": as_json_values(value.args, seen),
            "keywords": as_json_values(value.keywords, seen),
        }
    if isinstance(value, types.MethodType):
        return {"method": _name(value), "of": as_json_values(value.__self__, seen)}
    if isinstance(value, types.FunctionType):
        return _function_as_json(value, seen)
    if isinstance(value, (types.BuiltinFunctionType, np.ufunc)):
        return {"function": _name(value)}
    if hasattr(value, "__wrapped__"):  # functools.lru_cache, a function compiled by Numba
        return {"type": _name(type(value)), "function": as_json_values(value.__wrapped__, seen)}
    return None


def _function_as_json(function: types.FunctionType, seen: Seen) -> dict[str, Any]:
    constants = {
        name: function.__globals__[name]
        for name in sorted(_global_names(function.__code__))
        if _is_plain(function.__globals__.get(name, function))
    }
    parts = {
        "defaults": [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).items()],
        "captured": _captured(function),
        "constants": constants,
    }
    return {
        "function": _name(function),
        "code": _code_checksum(function.__code__),
        **{name: as_json_values(part, seen) for name, part in parts.items() if part},
    }


def _captured(function: types.FunctionType) -> dict[str, Any]:
    """Variables of the enclosing functions that the function uses, those without a value left out."""
    variables = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # no value yet
            variables[name] = cell.cell_contents
    return variables


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(member) for member in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _inner_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, types.CodeType))


def _global_names(code: types.CodeType) -> set[str]:
    return set(code.co_names).union(*map(_global_names, _inner_codes(code)))


def _code_checksum(code: types.CodeType) -> int:
    """CRC-32 of what a function does: its instructions, the names and the constants in them."""
    crc = zlib.crc32(code.co_code + repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            text = str(_code_checksum(constant))
        elif isinstance(constant, frozenset):  # in another order in every process
            text = repr(sorted(map(repr, constant)))
        else:
            text = repr(constant)
        crc = zlib.crc32(text.encode(), crc)
    return crc
