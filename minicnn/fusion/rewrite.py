"""A model as the same function with fewer passes over memory.

``fuse(model)`` looks for convolution, batch normalisation, ReLU and 2x2 max pooling in a row, as in

    Conv2D -> BatchNorm -> ReLU -> MaxPool2D(2)           (ReLU and the pool may be missing,
    Conv2D -> ReLU -> BatchNorm -> MaxPool2D(2)            ReLU may stand on either side)

and computes each such block with the kernels of ``kernels/fused``, which store one array where the layers one
by one store three or four. The result has the very layers of ``model``: parameters, running statistics and
random generators are shared, names are the same, and either of the two may be trained, saved or used at any
time. The numbers differ by rounding only. ``Trainer`` fuses the model it is given; ``summary`` shows the
blocks.

Within a training step, arrays that backward has consumed are used again for the next ones (``Arena``): an
array fresh from the operating system costs a page fault every few kilobytes. No array that a caller receives
is ever used again, and a forward pass that neither trains nor records shares nothing between threads.

A block computes layer by layer wherever the kernels do not apply: another backend, float64, fewer channels
than a vector has lanes, or a recorded pass with fixed statistics. ``MINICNN_FUSION=off`` switches all off.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from minicnn.containers import Container, Sequential
from minicnn.fusion.block import Block
from minicnn.fusion.sequential import FusedSequential
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU
from minicnn.layers.conv import Conv2D
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import MaxPool2D

SWITCH = "MINICNN_FUSION"


def enabled() -> bool:
    """Whether ``MINICNN_FUSION`` allows it. Raises ValueError where that is neither "on" nor "off"."""
    switch = os.environ.get(SWITCH) or "on"
    if switch not in ("on", "off"):
        raise ValueError(f'the environment variable {SWITCH} must be "on" or "off", got {switch!r}')
    return switch == "on"


def fuse(model: Layer) -> Layer:
    """The model with its blocks fused; the layers are shared, ``model`` itself stays as it is.

    Returns ``model`` where there is nothing to fuse, or ``MINICNN_FUSION`` is off.
    Raises ValueError where that variable is neither "on" nor "off".
    """
    return _fuse(model) if enabled() else model


def steps_of(layer: Layer) -> list[Layer]:
    """The steps of a chain in the order of computation: layers and blocks.

    Those of chains inside it take the place of these; branches stay whole. A layer that is no chain is one
    step.
    """
    if not isinstance(layer, Sequential):
        return [layer]
    inside = layer.steps if isinstance(layer, FusedSequential) else layer.children().values()
    return [step for child in inside for step in steps_of(child)]


def blocks_of(model: Layer) -> list[Block]:
    """All blocks of ``fuse(model)``, in forward order."""
    blocks: list[Block] = []
    for step in steps_of(fuse(model)):
        if isinstance(step, Block):
            blocks.append(step)
        else:
            blocks += [block for child in step.children().values() for block in blocks_of(child)]
    return blocks


def _fuse(layer: Layer) -> Layer:
    if not isinstance(layer, Container):
        return layer
    members = {name: _fuse(child) for name, child in layer.children().items()}
    if type(layer) is Sequential:
        steps = _group(list(members.values()))
        if any(isinstance(step, Block) for step in steps):
            return FusedSequential(members, steps)
    if all(fused is child for fused, child in zip(members.values(), layer.children().values(), strict=True)):
        return layer
    return layer.with_members(members)


def _group(layers: Sequence[Layer]) -> list[Layer]:
    """The layers, with those that make a block put together."""
    steps: list[Layer] = []
    position = 0
    while position < len(layers):
        block = _block_at(layers, position)
        steps.append(block or layers[position])
        position += len(block.members) if block else 1
    return steps


def _block_at(layers: Sequence[Layer], start: int) -> Block | None:
    """The block that begins with layer ``start``, or None."""
    kinds = [type(layer) for layer in layers[start : start + 4]]
    if kinds[:2] == [Conv2D, BatchNorm]:
        size = 3 if kinds[2:3] == [ReLU] else 2
    elif kinds[:3] == [Conv2D, ReLU, BatchNorm]:
        size = 3
    else:
        return None
    if size < len(kinds) and _halves(layers[start + size]):
        size += 1
    return Block(layers[start : start + size])


def _halves(layer: Layer) -> bool:
    """Whether this is the plain 2x2 max pool."""
    return type(layer) is MaxPool2D and (layer.size, layer.stride, layer.padding) == ((2, 2), (2, 2), "valid")
