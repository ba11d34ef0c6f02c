"""What every reporter is given besides the report."""

from __future__ import annotations

from dataclasses import dataclass

from ..findings import Finding


@dataclass(frozen=True)
class Options:
    """How to render: `color` for ANSI styles, `limit` findings shown in full (0: all), `fail_on` for the verdict.

    `suppressed` shows findings that a configuration ignores, `known` those that the baseline has already.
    """

    color: bool = False
    limit: int = 50
    fail_on: str = "error"
    width: int = 120
    notes: bool = True
    suppressed: bool = False
    known: bool = True

    def shows(self, finding: Finding) -> bool:
        """Whether a finding is shown to people; what is gone is only counted."""
        if finding.suppression is not None:
            return self.suppressed
        return (
            finding.state != "gone"
            and (self.known or finding.state != "known")
            and (self.notes or finding.severity != "note")
        )
