"""Block scales in tiles belong to the blocks that a reshape of the padded matrix says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorlint.checks.tiles import Order, orders
from tensorlint.container.header import TensorInfo


def tensor(name: str, dtype: str, *shape: int) -> TensorInfo:
    size = int(np.prod(shape))
    return TensorInfo(name, dtype, shape, "model.safetensors", 0, size)


@given(rows=st.integers(1, 300), across=st.integers(1, 40))
def test_every_scale_of_a_tiled_matrix_finds_its_block_or_is_padding(rows: int, across: int) -> None:
    high, wide = -(-rows // 128), -(-across // 4)
    numbered = np.full((high * 128, wide * 4), -1)
    numbered[:rows, :across] = np.arange(rows * across).reshape(rows, across)
    tiles = numbered.reshape(high, 4, 32, wide, 4).transpose(0, 3, 2, 1, 4)
    found = Order(rows, across, 8, True).blocks(np.arange(numbered.size))
    assert (found == tiles.reshape(-1)).all()


@pytest.mark.parametrize(
    ("scale", "weight", "label", "expected"),
    [
        (("F8_E4M3", 256, 16), ("U8", 256, 128), "group", [(8, False)]),
        (("F8_E4M3", 256, 16), ("U8", 256, 128), "tiles", [(8, False), (8, True)]),
        (("F8_E4M3", 128, 16), ("U8", 80, 128), "tiles", [(8, True)]),
        (("U8", 128, 8), ("F8_E4M3", 64, 200), "tiles", [(32, True)]),
        (("F8_E4M3", 64, 32), ("U8", 256, 64), "tiles", [(8, True)]),
        (("F8_E4M3", 100, 16), ("U8", 80, 128), "tiles", []),
        (("F8_E4M3", 100, 16), ("U8", 80, 128), "", []),
    ],
)
def test_orders_are_those_that_the_shapes_allow(
    scale: tuple[str, int, int], weight: tuple[str, int, int], label: str, expected: list[tuple[int, bool]]
) -> None:
    found = orders(tensor("s", *scale), tensor("w", *weight), label)
    assert [(order.width, order.tiled) for order in found] == expected
