"""The same network with fewer passes over memory: ``fuse(model)``."""

from minicnn.fusion.sequential import Block, FusedSequential, blocks_of, enabled, fuse, steps_of

__all__ = ["Block", "FusedSequential", "blocks_of", "enabled", "fuse", "steps_of"]
