"""The checks that need Python: each states facts, which rules (YAML) turn into findings.

A check is one file with a `CHECKS` of its own, and one line here.
"""

from __future__ import annotations

from . import (
    architecture,
    architecture_sizes,
    codes,
    completeness,
    configuration,
    contract,
    described,
    dimensions,
    duplicates,
    empty,
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
    stacks,
    statetext,
    templates,
    tied,
    types,
    zeropoints,
    zeros,
    zerotail,
)
from .check import Check

# Visible registration: a check is here or it does not exist.
CHECKS: tuple[Check, ...] = (
    *contract.CHECKS,
    *described.CHECKS,
    *configuration.CHECKS,
    *lists.CHECKS,
    *architecture.CHECKS,
    *architecture_sizes.CHECKS,
    *completeness.CHECKS,
    *templates.CHECKS,
    *stacks.CHECKS,
    *empty.CHECKS,
    *shardgap.CHECKS,
    *naming.CHECKS,
    *dimensions.CHECKS,
    *sizes.CHECKS,
    *types.CHECKS,
    *roles.CHECKS,
    *fused.CHECKS,
    *parallel.CHECKS,
    *kv_cache.CHECKS,
    *packing.CHECKS,
    *statetext.CHECKS,
    *exponents.CHECKS,
    *magnitude.CHECKS,
    *signs.CHECKS,
    *zeropoints.CHECKS,
    *codes.CHECKS,
    *zeros.CHECKS,
    *zerotail.CHECKS,
    *tied.CHECKS,
    *duplicates.CHECKS,
)
