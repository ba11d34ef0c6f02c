"""Lines of a report: styles, words with numbers, and wrapping with a hanging indent."""

from __future__ import annotations

import re
import textwrap

_STYLES = {"error": "1;31", "warning": "1;33", "note": "1;36", "bold": "1", "dim": "2", "good": "1;32"}
MIN_WIDTH = 40


class Ink:
    """ANSI styles, or none."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, style: str) -> str:
        """The text in a style, line by line."""
        if not self.on or not text:
            return text
        return "\n".join(f"\x1b[{_STYLES[style]}m{line}\x1b[0m" for line in text.split("\n"))


def agreed(text: str) -> str:
    """A text whose words agree with their number: `1 of 1 values are NaN` -> `the only value is NaN`.

    Messages are written for many, which is the rule; `1 bytes` and `1 modules fit` are mended too.
    """
    text = re.sub(r"(?<![\d,.])1 modules fit\b", "1 module fits", text)
    one = r"(?<![\d,.])(?<!of )1 (byte|tensor|module|shard|layer|expert|place|scale|rule|tensor name)s"
    text = re.sub(rf"{one} (are|have)\b", lambda m: f"1 {m[1]} {'is' if m[2] == 'are' else 'has'}", text)
    text = re.sub(rf"{one}\b", r"1 \1", text)
    text = re.sub(r"^1 of 1 ([\w ]*?)values are ", r"the only \1value is ", text)
    return re.sub(r"^(1 of [\d,]+ [\w ]*?values) are ", r"\1 is ", text)


def wrapped(text: str, width: int, first: int, rest: int) -> list[str]:
    """Lines of at most `width` columns; `first` and `rest` are columns that something else takes. Names stay whole."""
    room = max(width, MIN_WIDTH) - rest
    pad = "x" * max(0, first - rest)
    lines = textwrap.wrap(text, room, initial_indent=pad, break_long_words=False, break_on_hyphens=False)
    return [lines[0][len(pad) :], *lines[1:]] if lines else [""]
