"""The facts that rules may name: everything that reading, the checks and the run itself state.

The catalogue is closed: a rule that names a fact or a field which is not here does not load.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ..checks import CHECKS
from ..container import checkpoint, header, index
from ..facts import FactKind
from ..sources import interface, sniff

# What is said about a configuration's own ignores, at the end of a run.
REMARKS: Mapping[str, FactKind] = {
    "unused-ignore": FactKind("An ignore of the configuration matches no finding.", ("rules", "names", "reason")),
    "expired-ignore": FactKind(
        "The last day of an ignore has passed, and findings that it covered are back.",
        ("rules", "names", "reason", "until", "findings"),
    ),
}


# What reading states about files: shards, as they are on disk, and the index beside them.
OF_FILES: Mapping[str, FactKind] = {
    **sniff.STATES, **header.STATES, **interface.STATES, **index.STATES, **checkpoint.STATES,
}  # fmt: skip


@cache
def catalogue() -> Mapping[str, FactKind]:
    """Every kind of fact by name."""
    found = {**OF_FILES, **checkpoint.CONFIG_STATES}
    for check in CHECKS:
        found.update(check.states)
    return {**found, **REMARKS}
