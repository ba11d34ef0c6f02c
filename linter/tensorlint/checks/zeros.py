"""Zero bytes where values should be: stretches that no tensor row explains, and zero scales over live codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..container.header import TensorInfo
from ..facts import Fact, FactKind
from ..measures.interface import PAGE, Measures
from ..measures.plan import Need
from ..schemes.view import TensorUnit, View
from .check import Check
from .tiles import Order, orders

FILLED_STATES: Mapping[str, FactKind] = {
    "zero-filled": FactKind(
        "A stretch of zero bytes begins or ends in the middle of a tensor's row.",
        ("bytes", "begin", "end", "pages", "share", "to_end"),
    ),
}
SCALE_STATES: Mapping[str, FactKind] = {
    "zero-scale-over-codes": FactKind(
        "Block scales are zero although their blocks hold values.", ("module", "zeros", "live", "checked", "count")
    ),
    "lowest-exponent-over-codes": FactKind(
        "Shared exponents are at the bottom although their blocks hold values.",
        ("module", "zeros", "live", "checked", "count"),
    ),
}
_LEAST = 2 * PAGE  # bytes of a weight that can hold a page of zeros beside something else
_MAX_CHECKED = 4096  # zero scales looked up per tensor
_MAX_BLOCK = 64 << 10  # bytes looked at per scale


def _wanted(unit: TensorUnit) -> bool:
    tensor = unit.tensor
    return (
        len(tensor.shape) >= 2
        and tensor.nbytes >= _LEAST
        and unit.kind == "weight"
        and not unit.roles & {"position", "adapter"}
    )


def needs_filled(view: View) -> Iterator[Need]:
    """Zero pages of every weight."""
    for unit in view.units:
        if _wanted(unit):
            yield Need(unit.tensor, unit.encoding, frozenset({"zero_pages"}))


def run_filled(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Runs of zero pages that begin or end in the middle of a row: lost extents, or an interrupted write."""
    for unit in view.units:
        tensor = unit.tensor
        found = measured.get((tensor.shard, tensor.name))
        run = found.zero_run if found is not None and _wanted(unit) else None
        if run is None or not run.best[0]:
            continue
        length, page = run.best
        begin, end = _extend(view, tensor, page * PAGE, (page + length) * PAGE)
        if begin == tensor.begin and end == tensor.end:
            continue  # all of it is zero: another rule says so
        row = _row(unit)
        if not row or ((begin - tensor.begin) % row == 0 and (end - tensor.begin) % row == 0):
            continue  # whole rows are zero: pruned or padded
        values = {
            "bytes": end - begin,
            "begin": begin,
            "end": end,
            "pages": length,
            "share": (end - begin) / tensor.nbytes,
            "to_end": end == tensor.end,
        }
        yield Fact("zero-filled", tensor.shard, tensor.name, begin, values)


def _row(unit: TensorUnit) -> int:
    """Bytes that are zero together where zeros are meant: a row, or what has one scale where the weight is flat."""
    tensor = unit.tensor
    scale = unit.module.parts.get("weight_scale") if unit.module is not None else None
    if tensor.shape[-1] == 1 and scale is not None and scale.elements:
        return tensor.nbytes // scale.elements
    return tensor.nbytes // (tensor.elements // tensor.shape[-1]) if tensor.shape[-1] else 0


def _extend(view: View, tensor: TensorInfo, begin: int, end: int) -> tuple[int, int]:
    """The exact ends of a zero run found by pages."""
    file = view.checkpoint.source.open(tensor.shard)
    try:
        before = file.read(max(tensor.begin, begin - PAGE), begin - max(tensor.begin, begin - PAGE))
        after = file.read(end, min(tensor.end, end + PAGE) - end)
    finally:
        file.close()
    return begin - (len(before) - len(before.rstrip(b"\0"))), end + (len(after) - len(after.lstrip(b"\0")))


def _pairs(view: View) -> Iterator[tuple[TensorUnit, TensorUnit, tuple[Order, ...]]]:
    """(scale, weight, orders) of modules in which each scale stands for a run of the weight's bytes.

    Those are block scales of one byte, and scales that may be zero where all of their weights are.
    """
    for module in view.quantized:
        weight = module.parts.get("weight")
        for name in ("block_scale", "weight_scale"):
            scale = module.parts.get(name)
            if scale is None or weight is None or module.problems:
                continue
            found = orders(scale, weight, module.labels.get(name, ""))
            if found and _lowest(view.unit_of[scale.name]):
                yield view.unit_of[scale.name], view.unit_of[weight.name], found


def _lowest(scale: TensorUnit) -> str:
    """The measure that counts what is at the bottom: zeros, or in formats of exponents alone the smallest value."""
    wide = scale.part is not None and scale.part.sign == "nonnegative" and scale.encoding.special == "ieee"
    return "zero" if wide else {"fn": "zero", "e8m0": "floor"}.get(scale.encoding.special, "")


def needs_scales(view: View) -> Iterator[Need]:
    """How many block scales are at the bottom."""
    for scale, _, _ in _pairs(view):
        yield Need(scale.tensor, scale.encoding, frozenset({_lowest(scale)}))


def run_scales(view: View, measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Zero block scales whose blocks hold codes that are not zero: the block decodes to nothing."""
    for scale, weight, stored in _pairs(view):
        found = measured.get((scale.tensor.shard, scale.tensor.name))
        zeros = getattr(found, _lowest(scale)) if found is not None else 0
        if found is None or not zeros or zeros == found.count:
            continue
        live, checked, first = _live_blocks(view, scale.tensor, weight, stored, _lowest(scale) == "zero")
        if live:
            module = scale.module.name if scale.module else ""
            values = {
                "module": module,
                "zeros": zeros,
                "live": live,
                "checked": checked,
                "count": found.count,
            }
            yield Fact(
                "zero-scale-over-codes" if _lowest(scale) == "zero" else "lowest-exponent-over-codes",
                scale.tensor.shard,
                scale.tensor.name,
                scale.tensor.begin + first,
                values,
            )


def _live_blocks(
    view: View, scale: TensorInfo, weight: TensorUnit, stored: tuple[Order, ...], scale_signed: bool
) -> tuple[int, int, int]:
    """How many of the first zero scales have a live block, how many were looked at, and where the first of them is.

    Where the order of the scales is not certain, a block is live when it is in every order; padding has no block.
    """
    kind = np.dtype(f"<u{scale.nbytes // scale.elements}")
    sign = ~(1 << (8 * kind.itemsize - 1)) if scale_signed else -1
    live = checked = first = 0
    scales, weights = (
        view.checkpoint.source.open(scale.shard),
        view.checkpoint.source.open(weight.tensor.shard),
    )

    def holds(order: Order, block: int) -> bool:
        begin = weight.tensor.begin + block * order.width
        return _live(weights.read(begin, min(order.width, _MAX_BLOCK)), weight)

    try:
        for at in range(0, scale.nbytes, 1 << 20):
            piece = np.frombuffer(scales.read(scale.begin + at, min(1 << 20, scale.nbytes - at)), kind)
            low = np.flatnonzero((piece & kind.type(sign & (1 << 8 * kind.itemsize) - 1)) == 0) + at // kind.itemsize
            blocks = np.stack([order.blocks(low) for order in stored], axis=1)
            kept = (blocks >= 0).all(axis=1)
            rows = zip(low[kept][:_MAX_CHECKED].tolist(), blocks[kept][:_MAX_CHECKED].tolist(), strict=True)
            for position, places in rows:
                checked += 1
                if all(map(holds, stored, places)):
                    first = first if live else position * kind.itemsize
                    live += 1
                if checked >= _MAX_CHECKED:
                    return live, checked, first
    finally:
        scales.close()
        weights.close()
    return live, checked, first


def _live(block: bytes, weight: TensorUnit) -> bool:
    """Whether a block holds values: codes beside zero, or where codes are not known several of them."""
    if weight.encoding.kind != "float":
        return len(set(block)) > 1
    mask = 0x77 if weight.encoding.bits == 4 else 0x7F
    return any(b & mask for b in block)


CHECKS = (
    Check(FILLED_STATES, run_filled, "full", needs_filled),
    Check(SCALE_STATES, run_scales, "full", needs_scales),
)
