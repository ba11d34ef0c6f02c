"""Which block of the weight a block scale belongs to: row by row, or in the tile order that cuBLAS wants.

Tiles hold the scales of 128 rows by 4 blocks; the matrix of scales is padded with zeros to whole tiles. Inside a tile
come, for each of 32 rows, its four blocks, those of the row 32 below, and so on (cuBLAS manual, 1D block scaling).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..container.header import TensorInfo

_LABEL = "tiles"  # of such a shape in a scheme
_ROWS, _COLUMNS, _STEP = 128, 4, 32
_WIDTHS = (4, 8, 16, 32, 64)

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """How scales stand: one after another over blocks of `width` bytes, or `rows` by `across` of them in tiles."""

    rows: int
    across: int
    width: int
    tiled: bool

    def blocks(self, positions: Positions) -> Positions:
        """The number of the block of each scale, counted row by row; -1 for padding."""
        if not self.tiled:
            return positions
        tile, inside = np.divmod(positions, _ROWS * _COLUMNS)
        tiles_across = _whole(self.across, _COLUMNS)
        row = tile // tiles_across * _ROWS + inside // 16 + inside // _COLUMNS % _COLUMNS * _STEP
        column = tile % tiles_across * _COLUMNS + inside % _COLUMNS
        return np.where((row < self.rows) & (column < self.across), row * self.across + column, -1)


def orders(scale: TensorInfo, weight: TensorInfo, label: str) -> tuple[Order, ...]:
    """The orders in which the scales of a weight may stand, by their shapes and the label of the scheme's shape.

    A tiled matrix of whole tiles has the shape of one that stands row by row: then there are both.
    """
    if not scale.elements or not weight.elements:
        return ()
    found = []
    rows = prod(weight.shape[:-1])
    row_bytes = weight.nbytes // rows
    if _runs(scale, weight):
        found.append(Order(rows, scale.elements // rows, weight.nbytes // scale.elements, False))
    if label == _LABEL and len(weight.shape) == 2:
        columns, rest = divmod(scale.elements, _whole(rows, _ROWS) * _ROWS)
        widths = [w for w in _WIDTHS if _whole(_whole(row_bytes, w), _COLUMNS) * _COLUMNS == columns]
        if not rest and len(widths) == 1:
            found.append(Order(rows, _whole(row_bytes, widths[0]), widths[0], True))
    return tuple(found)


def _runs(scale: TensorInfo, weight: TensorInfo) -> bool:
    """Whether scales follow each other as the bytes that they stand for do."""
    if weight.nbytes % scale.elements:
        return False
    if len(weight.shape) == 2 and weight.shape[-1] == 1:
        return len(scale.shape) == 1
    sizes = scale.shape[:-1] if scale.shape[-1:] == (1,) else scale.shape
    return len(scale.shape) > 0 and (scale.shape[:-1] == weight.shape[:-1] or sizes == weight.shape[: len(sizes)])


def _whole(number: int, size: int) -> int:
    return -(-number // size)
