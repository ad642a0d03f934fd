"""Any setting as JSON values, so that two runs can be compared.

    numbers, texts, None     themselves
    arrays                   shape, dtype and checksum
    lists, tuples, dicts     their members
    modules, loggers         their names
    functions written in     name, checksum of the bytecode, defaults, captured variables, and the plain
    Python                   numbers and texts of its module that it names
    other objects            type, and what ``settings()`` returns; without that method a dataclass's fields,
                             otherwise the public attributes and the arguments of the constructor as stored;
                             for objects without any of these ``repr``, unless it holds an address

Of a setting with more than MAX_VALUES values, or nested deeper than MAX_DEPTH, the rest is given by type
alone (a long list of plain numbers and texts by checksum), so that a captured graph of objects neither stops
a run nor fills its checkpoint. Attributes that change during a run (a counter, a cache) make equal runs
differ: begin their names with an underscore.

Two things are not seen. Functions that a function calls are known by name alone, as is everything that is not
written in Python. Of an object without ``settings()``, attributes whose names begin with an underscore are
passed over (unless the constructor has an argument of that name). Such an object should define
``settings() -> dict``. Bytecode, and so the checksum of a function, differs between versions of Python.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import math
import types
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from minicnn.layer import Layer, Parameter

MAX_VALUES, MAX_DEPTH, LONG_LIST = 10_000, 40, 1_000


class Seen:
    """The ids of the objects around a value, and how many values its setting may still have."""

    def __init__(self, ids: frozenset[int] = frozenset(), left: list[int] | None = None) -> None:
        self.ids, self.left = ids, [MAX_VALUES] if left is None else left

    def inside(self, value: Any) -> Seen:
        """For the members of ``value``."""
        return Seen(self.ids | {id(value)}, self.left)

    def full(self) -> bool:
        """Count one value more; True where it is one too many or nested too deep."""
        self.left[0] -= 1
        return self.left[0] < 0 or len(self.ids) > MAX_DEPTH


def as_json_values(value: Any, seen: Seen | None = None) -> Any:
    """``value`` as JSON values; equal settings give equal ones, also in another process.

    Of layers and parameters only the type counts: their weights change in training. Of the objects around
    this one, ``seen``, only the type is given again.
    """
    seen = seen or Seen()
    if seen.full():
        return _name(type(value))
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value
    if isinstance(value, np.generic):
        return as_json_values(value.item())
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"array {value.shape} {value.dtype}, checksum {zlib.crc32(value.tobytes())}"
    if isinstance(value, (types.ModuleType, logging.Logger)):
        return f"{type(value).__name__} {getattr(value, '__name__', None) or value.name}"
    if id(value) in seen.ids or isinstance(value, (Layer, Parameter, type, np.dtype)):
        return _name(value)
    inner = seen.inside(value)
    if isinstance(value, Mapping):
        return {str(key): as_json_values(member, inner) for key, member in value.items()}
    if isinstance(value, (list, tuple)) and len(value) > LONG_LIST and all(map(_is_plain, value)):
        return f"{len(value)} values, checksum {zlib.crc32(repr(list(value)).encode())}"
    if isinstance(value, (list, tuple, np.ndarray)):
        return [as_json_values(member, inner) for member in value]
    if isinstance(value, (set, frozenset)):
        return sorted((as_json_values(member, inner) for member in value), key=json.dumps)
    return _callable_as_json(value, inner) or _object_as_json(value, inner)


def _object_as_json(value: Any, seen: Seen) -> dict[str, Any]:
    settings = settings_of(value, seen)
    text = "" if settings else repr(value)
    return {"type": _name(value), **settings, **({"repr": text} if text and " at 0x" not in text else {})}


def settings_of(value: Any, seen: Seen | None = None) -> dict[str, Any]:
    """The settings of one object by name, each as JSON values."""
    seen = seen or Seen()
    if _has_settings(value):
        own = dict(value.settings())
    elif is_dataclass(value):
        own = {field.name: getattr(value, field.name) for field in fields(value)}
    else:
        own = dict(_attributes(value))
    return {name: as_json_values(member, seen) for name, member in own.items()}


def _has_settings(value: Any) -> bool:
    """Whether there is a method ``settings()`` that takes no argument."""
    try:
        inspect.signature(value.settings).bind()
    except (AttributeError, TypeError, ValueError):
        return False
    return True


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
            try:
                yield name, getattr(value, attribute)
                break
            except Exception:  # not stored, or a property that raises: nothing to compare
                continue


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
