"""Vector instructions for Numba: a Python function that, run once at compile time, emits them.

Numba's auto-vectoriser turns simple loops into vector code, but it has no way to hold a tile of numbers
in registers, and that is what separates a matrix product at half the machine's speed from one at its peak.
So the innermost few lines of the fast kernels are written for an ``Emitter``, which looks like arithmetic:

    @emitted
    def scale(e, x, start, factor, factor_start, y):
        e.store(e.load(x, start) * e.broadcast(factor, factor_start), y, start)

Every ``*`` or ``load`` appends one LLVM instruction on ``WIDTH`` numbers to the kernel being compiled. Python
loops in such a function are unrolled; ``e.loop(n)`` is a loop of the compiled kernel. Arrays are flat and
contiguous, positions are element indices, and nothing is bounds-checked: the tests place the arrays between
walls of NaN. ``intrinsics.py`` has the decorator ``emitted``.

``WIDTH`` follows the processor that Numba compiles for: 16 float32 (AVX-512), 8 (AVX2), 4 (SSE, NEON).
Where the real registers are narrower, LLVM splits the vectors: slower, with the same result. ``a * b + c``
may become one fused multiply-add; no other liberty is taken, so NaN and infinity keep their IEEE meaning.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.registry import cpu_target

INDEX = ir.IntType(64)
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

    def __init__(self, emitter: LaneArithmetic, value: Any) -> None:
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


class Positions:
    """Integer arithmetic on positions and strides; operands are Python integers or LLVM values."""

    def __init__(self, builder: Any, number: Any) -> None:
        """``builder`` appends to the kernel being compiled; ``number`` is the LLVM type of the arrays."""
        self.builder = builder
        self.number = number
        self.type = ir.VectorType(number, WIDTH)

    def index(self, value: Any) -> Any:
        """The LLVM value of a position."""
        return ir.Constant(INDEX, value) if isinstance(value, int) else value

    def sum(self, *terms: Any) -> Any:
        """Integer sum of positions."""
        total = self.index(terms[0])
        for term in terms[1:]:
            total = self.builder.add(total, self.index(term))
        return total

    def product(self, a: Any, b: Any) -> Any:
        """Integer product, for strides."""
        return self.builder.mul(self.index(a), self.index(b))

    def minimum(self, a: Any, b: Any) -> Any:
        """The smaller of two integers."""
        a, b = self.index(a), self.index(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)


class LaneArithmetic(Positions):
    """Vectors made of constants and of other vectors, lane by lane, and masks: one bit for each lane."""

    def constant(self, number: float) -> Vector:
        """``number`` in every lane."""
        return Vector(self, ir.Constant(self.type, [float(number)] * WIDTH))

    def byte(self, number: int) -> Vector:
        """A small integer in every lane, one byte each."""
        return Vector(self, ir.Constant(_BYTES, [number] * WIDTH))

    def maximum(self, a: Vector, b: Vector) -> Vector:
        """The larger of two, lane by lane; where ``b`` is NaN, ``b``."""
        a_is_larger = self.builder.fcmp_ordered(">", a.value, b.value)
        return Vector(self, self.builder.select(a_is_larger, a.value, b.value))

    def greater_or_nan(self, a: Vector, b: Vector) -> Any:
        """A mask: the lanes where a > b, or where one of them is NaN."""
        return self.builder.fcmp_unordered(">", a.value, b.value)

    def not_nan(self, a: Vector) -> Any:
        """A mask: the lanes that are not NaN."""
        return self.builder.fcmp_ordered("ord", a.value, a.value)

    def equal(self, a: Vector, b: Vector) -> Any:
        """A mask: the lanes where two vectors of bytes agree."""
        return self.builder.icmp_unsigned("==", a.value, b.value)

    def both(self, mask: Any, other: Any) -> Any:
        """A mask: the lanes that are set in two masks."""
        return self.builder.and_(mask, other)

    def select(self, mask: Any, a: Vector, b: Vector) -> Vector:
        """a where the mask is set, b elsewhere; both numbers or both bytes."""
        return Vector(self, self.builder.select(mask, a.value, b.value))

    def lanes_from(self, first: Any) -> Any:
        """A mask: lanes ``first``, ``first + 1``, ..."""
        numbers = ir.Constant(ir.VectorType(_LANE, WIDTH), list(range(WIDTH)))
        return self.builder.icmp_signed(
            ">=", numbers, self._in_every_lane(self.builder.trunc(self.index(first), _LANE))
        )

    def multiply_add_bits(self, state: Vector, factor: int, bits: Vector) -> Vector:
        """state * factor + bits, for 32-bit integers, modulo 2**32."""
        constant = ir.Constant(state.value.type, [factor] * WIDTH)
        return Vector(self, self.builder.add(self.builder.mul(state.value, constant), bits.value))

    def _in_every_lane(self, number: Any) -> Any:
        kind = ir.VectorType(number.type, WIDTH)
        undefined = ir.Constant(kind, ir.Undefined)
        one = self.builder.insert_element(undefined, number, ir.Constant(_LANE, 0))
        lanes = ir.Constant(ir.VectorType(_LANE, WIDTH), [0] * WIDTH)
        return self.builder.shuffle_vector(one, undefined, lanes)


class Memory(LaneArithmetic):
    """Vectors from and to memory. ``array`` is the address of a flat array, ``start`` a position in it."""

    def pointer(self, address: Any) -> Any:
        """The array that begins at this address, an integer that ``address_of`` returned."""
        return self.builder.inttoptr(address, self.number.as_pointer())

    def load(self, array: Any, start: Any) -> Vector:
        """array[start : start + WIDTH]"""
        pointer = self._pointer_to(array, start, self.type)
        return Vector(self, self.builder.load(pointer, align=self._alignment()))

    def store(self, vector: Vector, array: Any, start: Any) -> None:
        """array[start : start + WIDTH] = vector"""
        pointer = self._pointer_to(array, start, self.type)
        self.builder.store(vector.value, pointer, align=self._alignment())

    def broadcast(self, array: Any, position: Any) -> Vector:
        """array[position] in every lane."""
        number = self.builder.load(self.builder.gep(array, [self.index(position)]))
        return Vector(self, self._in_every_lane(number))

    def gather(self, array: Any, start: Any, stride: Any, count: Any) -> Vector:
        """array[start], array[start + stride], ...: ``count`` of them; the other lanes repeat the last."""
        vector: Any = ir.Constant(self.type, ir.Undefined)
        last = self.builder.sub(self.index(count), self.index(1))
        for lane in range(WIDTH):
            position = self.sum(start, self.product(stride, self.minimum(lane, last)))
            number = self.builder.load(self.builder.gep(array, [position]))
            vector = self.builder.insert_element(vector, number, ir.Constant(_LANE, lane))
        return Vector(self, vector)

    def load_bits(self, array: Any, start: Any) -> Vector:
        """The 32-bit patterns of WIDTH float32 numbers, as integers."""
        bits = ir.VectorType(_LANE, WIDTH)
        return Vector(self, self.builder.bitcast(self.load(array, start).value, bits))

    def store_bits(self, bits: Vector, array: Any, start: Any) -> None:
        """The reverse of ``load_bits``."""
        self.store(Vector(self, self.builder.bitcast(bits.value, self.type)), array, start)

    def load_bytes(self, array: Any, start: Any) -> Vector:
        """array[start : start + WIDTH] of an array of bytes."""
        return Vector(self, self.builder.load(self._pointer_to(array, start, _BYTES), align=1))

    def store_bytes(self, vector: Vector, array: Any, start: Any) -> None:
        """array[start : start + WIDTH] = vector, for bytes."""
        self.builder.store(vector.value, self._pointer_to(array, start, _BYTES), align=1)

    def prefetch(self, array: Any, position: Any) -> None:
        """Prefetch array[position] into the cache: a hint, the position may lie beyond the array."""
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        hint = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0i8")
        address = self.builder.bitcast(self.builder.gep(array, [self.index(position)]), byte)
        self.builder.call(hint, [address, *(ir.Constant(number, n) for n in (0, 3, 1))])

    def _pointer_to(self, array: Any, start: Any, vector: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(array, [self.index(start)]), vector.as_pointer())

    def _alignment(self) -> int:
        return 8 if isinstance(self.number, ir.DoubleType) else 4


class Emitter(Memory):
    """Appends instructions to the kernel being compiled: those of its bases, variables and loops."""

    def variable(self, start: Vector) -> Any:
        """A vector that changes inside loops; LLVM keeps it in a register."""
        slot = cgutils.alloca_once(self.builder, start.value.type)
        self.set(slot, start)
        return slot

    def get(self, slot: Any) -> Vector:
        """The present value of a variable."""
        return Vector(self, self.builder.load(slot))

    def set(self, slot: Any, value: Vector) -> None:
        """Give a variable another value."""
        self.builder.store(value.value, slot)

    def loop(self, count: Any) -> AbstractContextManager[Any]:
        """``with e.loop(n) as step:`` runs the body n times, with ``step.index`` = 0, 1, ..."""
        return cgutils.for_range(self.builder, count)
