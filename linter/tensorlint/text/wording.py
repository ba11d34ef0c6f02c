"""Small words for people: counts, sizes, and names of strangers without control characters."""

from __future__ import annotations


def plural(n: int, word: str) -> str:
    """`1 error`, `2,048 errors`."""
    return f"{n:,} {word}" + ("" if n == 1 else "s")


def size(n: int) -> str:
    """Bytes with a unit: `512 B`, `1.2 MB`, `6.03 GB` (decimal, as file managers and the Hub count)."""
    value = float(n)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB" if value < 999.5 else f"{value:,.0f} TB"


def printable(text: str) -> str:
    """Text without control characters: names come from strangers and may hold escape sequences."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
