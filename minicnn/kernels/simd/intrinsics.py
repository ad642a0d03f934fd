"""Functions written for an ``Emitter``, made callable in Numba code.

    @emitted
    def scale(e, x, start, factor, y): ...          called in a kernel as  scale(x, start, factor, y)

An argument of the call arrives in the function as

    an array                    the address of its first number
    an integer                  an LLVM value
    a record (a NamedTuple)     the same record, each field one of the above

so that a tile, or a row of pixels, is one argument whose parts are read by name: ``tile.row``,
``pixels.start``. Built inside a kernel, a record costs nothing at run time: its fields are taken apart while
the kernel compiles. As an argument of a call from Python it costs microseconds, a plain tuple much less. So
kernels called from there receive ``tuple(record)`` and begin with ``record = Record(*record)``.

The type of the numbers, float32 or float64, is that of the first array among the arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numba.core import cgutils, types
from numba.extending import intrinsic

from minicnn.kernels.simd.emitter import INDEX, Emitter


def emitted(generate: Callable[..., None]) -> Any:
    """Make ``generate(e, ...)`` callable in Numba code, without ``e``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number_types: list[Any] = []

        def taken_apart(kind: Any, value: Any) -> Any:
            if isinstance(kind, types.Array):
                number_types.append(context.get_data_type(kind.dtype))
                return context.make_array(kind)(context, builder, value).data
            if isinstance(kind, (types.NamedTuple, types.NamedUniTuple)):
                fields = cgutils.unpack_tuple(builder, value, len(kind.types))
                return kind.instance_class(*map(taken_apart, kind.types, fields))
            return context.cast(builder, value, kind, types.intp)

        values = [taken_apart(*pair) for pair in zip(signature.args, arguments, strict=True)]
        generate(Emitter(builder, number_types[0]), *values)
        return context.get_dummy_value()

    def typing(typing_context: Any, *arguments: Any) -> Any:
        return types.void(*arguments), codegen

    typing.__name__ = generate.__name__
    typing.__doc__ = generate.__doc__
    typing.__signature__ = inspect.signature(generate)  # type: ignore[attr-defined]
    return intrinsic(typing)


@intrinsic
def address_of(typing_context: Any, array: Any, position: Any) -> Any:
    """The address of array[position] as an integer. The array must stay alive while the address is in use."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, position_kind = signature.args
        data = context.make_array(kind)(context, builder, arguments[0]).data
        index = context.cast(builder, arguments[1], position_kind, types.intp)
        return builder.ptrtoint(builder.gep(data, [index]), INDEX)

    return types.intp(array, position), codegen


@emitted
def copy_vector(e: Emitter, source: Any, start: Any, target: Any, target_start: Any) -> None:
    """target[target_start : target_start + WIDTH] = source[start : start + WIDTH].

    Numba's own copying loops allow for negative positions, which keeps them from becoming vector code.
    """
    e.store(e.load(source, start), target, target_start)
