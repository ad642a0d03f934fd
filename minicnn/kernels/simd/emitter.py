"""Vector instructions for Numba: a Python function that, run once at compile time, emits them.

Numba's auto-vectoriser turns simple loops into vector code, but it cannot be told to keep a tile of numbers
in registers, and that is what separates a matrix product at half the machine's speed from one at its peak.
So the innermost few lines of the fast kernels are written for an ``Emitter``: it looks like arithmetic,

    @emitted
    def scale(e, x, start, factor, factor_at, y):
        e.store(e.load(x, start) * e.broadcast(factor, factor_at), y, start)

and every ``*`` or ``load`` appends one LLVM instruction on ``WIDTH`` numbers to the kernel being compiled.
Python loops in such a function are unrolled for good; ``e.loop(n)`` is a loop that runs. Arrays are flat and
contiguous, positions are element indices; nothing is bounds-checked, hence the canary tests.

``WIDTH`` follows the processor that Numba compiles for: 16 float32 (AVX-512), 8 (AVX2), 4 (SSE, NEON).
Where the real registers are narrower, LLVM splits the vectors: slower, never wrong. ``a * b + c`` is allowed
to become one fused multiply-add; no other liberty is taken, so NaN and infinity stay what they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)


def _width_of_target() -> int:
    """float32 numbers in one register of the processor that Numba compiles for."""
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    if "+avx512f" in features:
        return 16
    return 8 if "+avx2" in features else 4


WIDTH = _width_of_target()


_BYTES = ir.VectorType(ir.IntType(8), WIDTH)


class Vector:
    """WIDTH numbers in a register; +, - and * append an instruction."""

    def __init__(self, emitter: Emitter, value: Any) -> None:
        self.emitter = emitter
        self.value = value

    def _binary(self, operation: str, other: Vector | float) -> Vector:
        right = other if isinstance(other, Vector) else self.emitter.constant(other)
        emit = getattr(self.emitter.builder, operation)
        return Vector(self.emitter, emit(self.value, right.value, flags=("contract",)))

    def __add__(self, other: Vector | float) -> Vector:
        return self._binary("fadd", other)

    def __sub__(self, other: Vector | float) -> Vector:
        return self._binary("fsub", other)

    def __mul__(self, other: Vector | float) -> Vector:
        return self._binary("fmul", other)

    __rmul__ = __mul__


class Emitter:
    """Appends instructions to the kernel being compiled. ``array`` below is the address of a flat array."""

    def __init__(self, builder: Any, number: Any) -> None:
        self.builder = builder
        self.number = number
        self.type = ir.VectorType(number, WIDTH)

    def index(self, value: Any) -> Any:
        return ir.Constant(_INDEX, value) if isinstance(value, int) else value

    def sum(self, *terms: Any) -> Any:
        """Integer sum of positions."""
        total = self.index(terms[0])
        for term in terms[1:]:
            total = self.builder.add(total, self.index(term))
        return total

    def product(self, a: Any, b: Any) -> Any:
        """Integer product, for strides."""
        return self.builder.mul(self.index(a), self.index(b))

    def smaller(self, a: Any, b: Any) -> Any:
        """The smaller of two integers."""
        a, b = self.index(a), self.index(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def constant(self, number: float) -> Vector:
        return Vector(self, ir.Constant(self.type, [float(number)] * WIDTH))

    def _address(self, array: Any, at: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(array, [self.index(at)]), self.type.as_pointer())

    def pointer(self, address: Any) -> Any:
        """The array that begins at this address, one that ``address_of`` gave."""
        return self.builder.inttoptr(address, self.number.as_pointer())

    def _alignment(self) -> int:
        return 8 if isinstance(self.number, ir.DoubleType) else 4

    def load(self, array: Any, at: Any) -> Vector:
        """array[at : at + WIDTH]"""
        return Vector(self, self.builder.load(self._address(array, at), align=self._alignment()))

    def store(self, vector: Vector, array: Any, at: Any) -> None:
        """array[at : at + WIDTH] = vector"""
        self.builder.store(vector.value, self._address(array, at), align=self._alignment())

    def broadcast(self, array: Any, at: Any) -> Vector:
        """array[at] in every lane."""
        number = self.builder.load(self.builder.gep(array, [self.index(at)]))
        undefined = ir.Constant(self.type, ir.Undefined)
        one = self.builder.insert_element(undefined, number, ir.Constant(_LANE, 0))
        lanes = ir.Constant(ir.VectorType(_LANE, WIDTH), [0] * WIDTH)
        return Vector(self, self.builder.shuffle_vector(one, undefined, lanes))

    def gather(self, array: Any, at: Any, stride: Any, count: Any) -> Vector:
        """array[at], array[at + stride], ...: ``count`` of them, the last one repeated in the lanes left."""
        vector: Any = ir.Constant(self.type, ir.Undefined)
        last = self.builder.sub(self.index(count), self.index(1))
        for lane in range(WIDTH):
            position = self.sum(at, self.product(stride, self.smaller(lane, last)))
            number = self.builder.load(self.builder.gep(array, [position]))
            vector = self.builder.insert_element(vector, number, ir.Constant(_LANE, lane))
        return Vector(self, vector)

    def larger(self, a: Vector, b: Vector) -> Vector:
        """The larger of two, lane by lane; where ``b`` is NaN, ``b``."""
        a_wins = self.builder.fcmp_ordered(">", a.value, b.value)
        return Vector(self, self.builder.select(a_wins, a.value, b.value))

    def exceeds(self, a: Vector, b: Vector) -> Any:
        """A mask: the lanes where a > b, or where one of them is NaN."""
        return self.builder.fcmp_unordered(">", a.value, b.value)

    def a_number(self, a: Vector) -> Any:
        """A mask: the lanes that are not NaN."""
        return self.builder.fcmp_ordered("ord", a.value, a.value)

    def both(self, mask: Any, other: Any) -> Any:
        return self.builder.and_(mask, other)

    def choose(self, mask: Any, a: Vector, b: Vector) -> Vector:
        """a where the mask is set, b elsewhere; both numbers or both bytes."""
        return Vector(self, self.builder.select(mask, a.value, b.value))

    def from_lane(self, first: Any) -> Any:
        """A mask: lanes ``first``, ``first + 1``, ..."""
        lanes = ir.Constant(ir.VectorType(_LANE, WIDTH), list(range(WIDTH)))
        undefined = ir.Constant(lanes.type, ir.Undefined)
        one = self.builder.insert_element(
            undefined, self.builder.trunc(self.index(first), _LANE), ir.Constant(_LANE, 0)
        )
        all_of_it = self.builder.shuffle_vector(one, undefined, ir.Constant(lanes.type, [0] * WIDTH))
        return self.builder.icmp_signed(">=", lanes, all_of_it)

    def byte(self, number: int) -> Vector:
        """A small integer in every lane."""
        return Vector(self, ir.Constant(_BYTES, [number] * WIDTH))

    def equal(self, a: Vector, b: Vector) -> Any:
        """A mask: the lanes where two vectors of bytes agree."""
        return self.builder.icmp_unsigned("==", a.value, b.value)

    def load_bits(self, array: Any, at: Any) -> Vector:
        """The 32-bit patterns of WIDTH float32 numbers, as integers."""
        bits = ir.VectorType(_LANE, WIDTH)
        return Vector(self, self.builder.bitcast(self.load(array, at).value, bits))

    def store_bits(self, bits: Vector, array: Any, at: Any) -> None:
        """The reverse of ``load_bits``."""
        self.store(Vector(self, self.builder.bitcast(bits.value, self.type)), array, at)

    def stir(self, state: Vector, bits: Vector, factor: int) -> Vector:
        """state * factor + bits, for integers, modulo 2**32."""
        constant = ir.Constant(state.value.type, [factor] * WIDTH)
        return Vector(self, self.builder.add(self.builder.mul(state.value, constant), bits.value))

    def load_bytes(self, array: Any, at: Any) -> Vector:
        address = self.builder.gep(array, [self.index(at)])
        return Vector(self, self.builder.load(self.builder.bitcast(address, _BYTES.as_pointer()), align=1))

    def store_bytes(self, vector: Vector, array: Any, at: Any) -> None:
        address = self.builder.gep(array, [self.index(at)])
        self.builder.store(vector.value, self.builder.bitcast(address, _BYTES.as_pointer()), align=1)

    def prefetch(self, array: Any, at: Any) -> None:
        """Ask for array[at] to come into the cache. Only a hint: ``at`` may lie beyond the array."""
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        hint = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0i8")
        address = self.builder.bitcast(self.builder.gep(array, [self.index(at)]), byte)
        self.builder.call(hint, [address, *(ir.Constant(number, n) for n in (0, 3, 1))])

    def variable(self, start: Vector) -> Any:
        """A vector that changes inside loops; LLVM keeps it in a register."""
        slot = cgutils.alloca_once(self.builder, start.value.type)
        self.set(slot, start)
        return slot

    def get(self, slot: Any) -> Vector:
        return Vector(self, self.builder.load(slot))

    def set(self, slot: Any, value: Vector) -> None:
        self.builder.store(value.value, slot)

    def loop(self, count: Any) -> AbstractContextManager[Any]:
        """``with e.loop(n) as step:`` runs the body n times, with ``step.index`` = 0, 1, ..."""
        return cgutils.for_range(self.builder, count)


def emitted(generate: Callable[..., None]) -> Any:
    """Make ``generate(e, ...)`` callable in Numba code, without ``e``; arrays arrive in it as addresses."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = []
        number = None
        for kind, value in zip(signature.args, arguments, strict=True):
            if isinstance(kind, types.Array):
                array = context.make_array(kind)(context, builder, value)
                number = number or context.get_data_type(kind.dtype)
                values.append(array.data)
            else:
                values.append(context.cast(builder, value, kind, types.intp))
        generate(Emitter(builder, number), *values)
        return context.get_dummy_value()

    def typing(typing_context: Any, *arguments: Any) -> Any:
        return types.void(*arguments), codegen

    typing.__name__ = generate.__name__
    typing.__doc__ = generate.__doc__
    typing.__signature__ = inspect.signature(generate)  # type: ignore[attr-defined]
    return intrinsic(typing)


@intrinsic
def address_of(typing_context: Any, array: Any, at: Any) -> Any:
    """The address of array[at] as an integer. It outlives no reference: hold the array while it is in use."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, position = signature.args
        data = context.make_array(kind)(context, builder, arguments[0]).data
        index = context.cast(builder, arguments[1], position, types.intp)
        return builder.ptrtoint(builder.gep(data, [index]), _INDEX)

    return types.intp(array, at), codegen


@emitted
def copy_vector(e: Emitter, source: Any, at: Any, target: Any, to: Any) -> None:
    """target[to : to + WIDTH] = source[at : at + WIDTH].

    Numba's own copying loops allow for negative positions, which keeps them from becoming vector code.
    """
    e.store(e.load(source, at), target, to)
