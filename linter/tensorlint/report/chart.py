"""The spread of a tensor's values as a small chart of text."""

from __future__ import annotations

from collections.abc import Iterator

from ..text.wording import plural
from .findings import Distribution

_WIDTH = 32  # columns of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉"


def chart(d: Distribution) -> Iterator[str]:
    """A line for each bin: its values from the label's up to the next one's, how many, a bar, and how many are bad."""
    of = "" if d.elements == d.of else f"the first {d.elements:,} of "
    yield f"{d.dtype}, {of}{plural(d.of, 'value')} by magnitude"
    most = max((b.count for b in d.bins), default=0)
    labels = max((len(b.label) for b in d.bins), default=0)
    digits = len(f"{most:,}")
    for b in d.bins:
        bad = "" if not b.bad else "  <- bad" if b.bad == b.count else f"  <- {b.bad:,} bad"
        yield f"{b.label:>{labels}}  {b.count:>{digits},}  {_bar(b.count, most)}{bad}".rstrip()


def _bar(count: int, most: int) -> str:
    """A bar in eighths of a column; whatever is there is seen."""
    eighths = max(1, round(count * _WIDTH * 8 / most)) if count else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
