"""Places in files people write, and what is said about a mistake there: line, column, caret, and a suggestion."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn, TypeVar, cast, overload

from ..errors import RuleFileError
from .wording import printable

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as a line
_LONGEST = 160  # characters of a line that are shown

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True)
class Lines(Sequence[str]):
    """The lines of a file that is known to be sound, split when one is first asked for."""

    raw: bytes

    @cached_property
    def _all(self) -> list[str]:
        return BREAK.split(self.raw.decode("utf-8-sig"))

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        return self._all[at]

    def __len__(self) -> int:
        return len(self._all)


@dataclass(frozen=True)
class Text:
    """The text of one file, for error messages."""

    path: str
    lines: Sequence[str]

    def fail(self, line: int, column: int, width: int, message: str, hint: str = "") -> NoReturn:
        """Raise RuleFileError with file, line, column, caret and hint; line and column count from 0."""
        if self.lines and line >= len(self.lines):
            line, column = len(self.lines) - 1, len(self.lines[-1])
        gutter = " " * len(str(line + 1))
        rows = [printable(message), f"{gutter}--> {printable(self.path)}:{line + 1}:{column + 1}"]
        if line < len(self.lines):
            # One character each, so that the caret stays where it belongs.
            shown = "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in self.lines[line])
            if len(shown) > _LONGEST:  # a window of it
                start = max(0, column - _LONGEST // 2)
                shown, column = shown[start : start + _LONGEST], column - start
            width = max(1, min(width, len(shown) - column))
            rows += [f"{gutter} |", f"{line + 1} | {shown}", f"{gutter} | {' ' * column}{'^' * width}"]
        if hint:
            rows.append(f"{gutter} = help: {printable(hint)}")
        raise RuleFileError("\n".join(rows), message, hint)


Hint = str | Callable[[], str]  # what takes a while to put together is asked for when it is said


class Placed(ABC):
    """A value with its place in a file, in whatever language the file is."""

    text: Text

    @abstractmethod
    def place(self, key: bool = False) -> tuple[int, int, int]:
        """Line, column (both from 0) and width of the value, or of the key that it stands under, if any."""

    @abstractmethod
    def string(self, what: str, *, hint: Hint = "") -> str:
        """A text that is not empty; `hint` says what to write in the place of something else."""

    def fail(self, message: str, hint: Hint = "") -> NoReturn:
        """Raise RuleFileError that points at this value."""
        self.text.fail(*self.place(), message, hint if isinstance(hint, str) else hint())

    def fail_key(self, message: str, hint: str = "") -> NoReturn:
        """Raise RuleFileError that points at the key of this value."""
        self.text.fail(*self.place(key=True), message, hint)

    def word(self, what: str, allowed: Collection[Word]) -> Word:
        """A text out of a closed list."""
        value = self.string(what, hint=lambda: suggest("", allowed))
        if value not in allowed:
            self.fail(f"`{value}` is not {what}", suggest(value, allowed))
        return cast(Word, value)

    def glob(self, what: str) -> str:
        """A glob over names: `*`, `?` and `[...]`; what looks like a regular expression is refused."""
        value = self.string(what)
        problem = glob_problem(value)
        if problem:
            self.fail(*problem)
        return value


def suggest(word: str, allowed: Iterable[str]) -> str:
    """`did you mean ...?`, or the whole list when nothing is near; empty when nothing is allowed."""
    options = sorted(set(allowed))
    if not options:
        return ""
    near = nearest(word, options)
    if near:
        return f"did you mean `{near}`?"
    return f"one of: {', '.join(options[:24])}{' ...' if len(options) > 24 else ''}"


def nearest(word: str, options: Iterable[str]) -> str:
    """The option that is most like a word, or nothing; case, `-` and `_` make no difference."""
    plain: dict[str, str] = {}
    for option in options:
        plain.setdefault(option.lower().replace("-", "_"), option)
    near = difflib.get_close_matches(word.lower().replace("-", "_"), plain, 1)
    return plain[near[0]] if near else ""


def glob_problem(value: str) -> tuple[str, str] | None:
    """What is wrong with a glob of `*`, `?` and `[...]`, and what to write; None for a sound one."""
    if any(c in value for c in "^$\\|(){}"):
        return f"`{value}` is not a glob", "globs have * ? and [abc]; regular expressions are not taken"
    # As fnmatch reads it: `]` right after `[` or `[!` stands for itself.
    if re.search(r"\[(?!!?.[^\]]*\])", value):
        return f"`{value}`: the [ is never closed", "globs have * ? and [abc]"
    return None
