"""The checks that need Python: each states facts, which rules (YAML) turn into findings.

A check is one file with a `CHECKS` of its own, and one line here.
"""

from __future__ import annotations

from . import (
    codes,
    completeness,
    configuration,
    constants,
    contract,
    decoded,
    described,
    dimensions,
    duplicates,
    ends,
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
from .check import Check

# Visible registration: a check is here or it does not exist.
CHECKS: tuple[Check, ...] = (
    *contract.CHECKS,
    *described.CHECKS,
    *configuration.CHECKS,
    *lists.CHECKS,
    *completeness.CHECKS,
    *templates.CHECKS,
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
    *constants.CHECKS,
    *exponents.CHECKS,
    *magnitude.CHECKS,
    *decoded.CHECKS,
    *signs.CHECKS,
    *zeropoints.CHECKS,
    *codes.CHECKS,
    *ends.CHECKS,
    *zeros.CHECKS,
    *zerotail.CHECKS,
    *tied.CHECKS,
    *duplicates.CHECKS,
)
