"""The same network with fewer passes over memory: ``fuse(model)``."""

from minicnn.fusion.block import Block
from minicnn.fusion.rewrite import blocks_of, enabled, fuse, steps_of
from minicnn.fusion.sequential import FusedSequential

__all__ = ["Block", "FusedSequential", "blocks_of", "enabled", "fuse", "steps_of"]
