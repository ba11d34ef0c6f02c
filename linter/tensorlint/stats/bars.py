"""A histogram in one line."""

from __future__ import annotations

from .values import Histogram

BARS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
ASCII_BARS = " .:-=+*#@"


def bars_of(histogram: Histogram, bars: str, room: int) -> str:
    """A histogram in one line between its ends: `-9 .:-=#@*-. 3`; powers of two with `2^` before them."""
    occurring = [i for i, n in enumerate(histogram.counts) if n] or [0]
    first, last = occurring[0], occurring[-1]
    counts = list(histogram.counts[first : last + 1])
    room = max(room, 16 if histogram.kind == "value" else 0)  # the codes of four bits
    step = -(-len(counts) // room)
    merged = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    top = max(merged) or 1
    # What occurs at all shows at least the lowest bar: a lone outlier is what one looks for.
    drawn = "".join(bars[0] if not n else bars[1 + (n * (len(bars) - 2)) // top] for n in merged)
    low, high = histogram.labels[first], histogram.labels[last]
    return f"2^{low:g} {drawn} 2^{high:g}" if histogram.kind == "log2" else f"{low:g} {drawn} {high:g}"
