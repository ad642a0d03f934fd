"""How the output of Winograd's convolution is cut into tasks: by its shape alone, never by the threads."""

from __future__ import annotations

import math

from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.simd.microkernel import ROWS
from minicnn.kernels.winograd.algebra import PRODUCTS, TILE
from minicnn.kernels.winograd.records import Part
from minicnn.kernels.winograd.tiles import panels, plane_of
from minicnn.shapes import ConvGeometry

# Tiles in a block, which is to stay in a 1 MB cache, and in a task, whose part of the output is to do so too.
# With many channels the filters are what must be read seldom: larger blocks.
BLOCK = 16
WIDE_CHANNELS = 768
WIDE_BLOCK = 32
TASK_TILES = 128
WIDE_TILES = 256
# Tasks are cut smaller, then by channels, where there would be fewer than these.
LEAST_TASKS = 4
FEW_TASKS = 3


class Tasks:
    """Rows of tiles and, where these are few, groups of panels of channels; and the buffers of a task.

    ``count`` tasks, ``groups`` of them for the same rows of tiles; ``workspace`` and ``patch`` numbers of
    buffers for each.
    """

    def __init__(self, geometry: ConvGeometry, images: int) -> None:
        channels, outputs, (height, width) = geometry.in_channels, geometry.out_channels, geometry.output
        self.image_rows, self.row_numbers = height, width * outputs
        self.tile_rows, self.columns = -(-height // TILE), -(-width // TILE)
        self.total, self.panels = images * self.tile_rows, panels(outputs)
        wide = channels + outputs > WIDE_CHANNELS
        # Rows of tiles that make whole tiles of the micro-kernel; a task has a multiple of them.
        step = ROWS // math.gcd(ROWS, self.columns)
        tiles = WIDE_TILES if wide else min(TASK_TILES, -(-self.total // LEAST_TASKS) * self.columns)
        self.rows = max(step, tiles // self.columns // step * step)
        tasks = -(-self.total // self.rows)
        self.groups = min(-(-LEAST_TASKS // tasks), -(-self.panels // 2)) if tasks < FEW_TASKS else 1
        self.group = -(-self.panels // (2 * self.groups)) * 2
        self.groups = -(-self.panels // self.group)
        self.count = tasks * self.groups
        most = -(-min(self.rows, self.total) * self.columns // ROWS) * ROWS
        self.block = min(WIDE_BLOCK if wide else BLOCK, most)
        panel, widest = self.block * WIDTH, min(self.group, self.panels)
        self.workspace = PRODUCTS * (plane_of(panels(channels) * panel) + plane_of(widest * panel))
        self.patch = PRODUCTS * panels(channels) * WIDTH

    def part(self, task: int) -> Part:
        """The tiles and panels of a task; its part of y begins with a row of the image."""
        row, panel = task // self.groups * self.rows, task % self.groups * self.group
        last_row, last_panel = min(row + self.rows, self.total), min(panel + self.group, self.panels)
        tiles = row * self.columns, last_row * self.columns
        return Part(*tiles, self.block, panel, last_panel, self.image_row(task) * self.row_numbers)

    def image_row(self, task: int) -> int:
        """The first row of the output that a task computes, counted through the batch."""
        n, row = divmod(min(task // self.groups * self.rows, self.total), self.tile_rows)
        return n * self.image_rows + row * TILE
