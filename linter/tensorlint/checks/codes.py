"""Which of the sixteen codes a 4-bit weight uses: a quantizer uses them all, a lost bit leaves at most half."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..facts import Fact
from ..measures.interface import Measures
from ..measures.plan import Need
from ..schemes.recognise import Module
from ..view import View

STATES = ("few-codes",)
_SAMPLE = 16 << 10  # bytes looked at, from the beginning and from the middle
_LEAST = 4096  # values below which codes may be missing by chance
_HALF = 8


def needs(view: View) -> Iterator[Need]:
    """Nothing is measured; a sample is read as it is."""
    yield from ()


def run(view: View, _measured: Mapping[tuple[str, str], Measures]) -> Iterator[Fact]:
    """Facts about weights of 4 bits of which a sample uses more than one code and at most half of them."""
    for module in view.quantized:
        weight = module.parts.get("weight")
        if weight is None or module.problems or not _four_bits(module) or weight.nbytes * 2 < _LEAST:
            continue
        file = view.checkpoint.source.open(weight.shard)
        try:
            start = file.read(weight.begin, min(weight.nbytes, _SAMPLE))
            middle = weight.nbytes // 2
            more = (
                file.read(weight.begin + middle, min(weight.nbytes - middle, _SAMPLE))
                if weight.nbytes > _SAMPLE
                else b""
            )
        finally:
            file.close()
        pairs = np.bincount(np.frombuffer(start + more, np.uint8), minlength=256).reshape(16, 16)
        counts = pairs.sum(axis=0) + pairs.sum(axis=1)
        used = int(np.count_nonzero(counts))
        # Rows of zeros are padding or pruned: what matters is how the other values are coded.
        if 2 < used <= _HALF and int(counts.sum() - counts.max()) >= _LEAST // 4:
            values = {"module": module.name, "scheme": module.scheme.name, "used": used, "checked": int(counts.sum())}
            yield Fact("few-codes", weight.shard, weight.name, weight.begin, values)


def _four_bits(module: Module) -> bool:
    """Whether the weight has four bits for each of its values, by the sizes that its shape was solved for."""
    rows, columns = module.env.get("N"), module.env.get("K")
    if not rows or not columns:
        return False
    return module.parts["weight"].nbytes * 2 == rows * columns * module.env.get("E", 1)
