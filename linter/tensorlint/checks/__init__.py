"""The checks that need Python: each states facts, which rules (YAML) turn into findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..facts import Fact
from ..measures.interface import Measures
from ..measures.plan import Need
from ..schemes.view import View
from . import (
    codes,
    completeness,
    configuration,
    contract,
    described,
    dimensions,
    duplicates,
    exponents,
    fused,
    kv_cache,
    lists,
    magnitude,
    naming,
    packing,
    parallel,
    roles,
    shardgap,
    signs,
    sizes,
    statetext,
    templates,
    tied,
    types,
    zeropoints,
    zeros,
    zerotail,
)

Measured = Mapping[tuple[str, str], Measures]


@dataclass(frozen=True)
class Check:
    """One check: the facts it may state, and what it needs measured (nothing: it runs on headers alone).

    `depth` is the least depth at which `needs` can be met, or at which it may read bytes itself.
    """

    states: tuple[str, ...]
    run: Callable[[View, Measured], Iterator[Fact]]
    needs: Callable[[View], Iterable[Need]] | None = None
    depth: str = "headers"


# Visible registration: a check is here or it does not exist.
CHECKS: tuple[Check, ...] = (
    Check(contract.STATES, contract.run),
    Check(described.STATES, described.run),
    Check(configuration.STATES, configuration.run),
    Check(lists.STATES, lists.run),
    Check(completeness.STATES, completeness.run),
    Check(templates.STATES, templates.run),
    Check(shardgap.STATES, shardgap.run),
    Check(naming.STATES, naming.run),
    Check(dimensions.STATES, dimensions.run),
    Check(sizes.STATES, sizes.run),
    Check(types.STATES, types.run),
    Check(roles.STATES, roles.run),
    Check(fused.STATES, fused.run),
    Check(fused.VALUE_STATES, fused.run_values, fused.needs, "scales"),
    Check(parallel.STATES, parallel.run),
    Check(kv_cache.STATES, kv_cache.run),
    Check(kv_cache.VALUE_STATES, kv_cache.run_values, kv_cache.needs, "scales"),
    Check(packing.STATES, packing.run, packing.needs, "scales"),
    Check(statetext.STATES, statetext.run, statetext.needs, "scales"),
    Check(exponents.STATES, exponents.run, exponents.needs, "scales"),
    Check(magnitude.STATES, magnitude.run, magnitude.needs, "scales"),
    Check(signs.STATES, signs.run, signs.needs, "scales"),
    Check(zeropoints.STATES, zeropoints.run, zeropoints.needs, "scales"),
    Check(zeropoints.SHIFT_STATES, zeropoints.run_shift, zeropoints.needs_shift, "full"),
    Check(codes.STATES, codes.run, codes.needs, "full"),
    Check(zeros.FILLED_STATES, zeros.run_filled, zeros.needs_filled, "full"),
    Check(zeros.SCALE_STATES, zeros.run_scales, zeros.needs_scales, "full"),
    Check(zerotail.STATES, zerotail.run, zerotail.needs, "full"),
    Check(tied.STATES, tied.run, tied.needs, "full"),
    Check(duplicates.STATES, duplicates.run, duplicates.needs, "full"),
    Check(duplicates.LAYER_STATES, duplicates.run_layers, duplicates.needs_layers, "full"),
)
