"""Whether an entry of an ignore or target list covers a module, in each of the ways that loaders use.

Semantics by source: ModelOpt export writes exact names, `prefix*` and `prefix.*` (modelopt/torch/export/quant_utils.py)
and vLLM also takes substrings and globs (vllm .../quantization/modelopt.py); compressed-tensors takes exact names,
`re:` with `re.match`, or a class name, and no globs (compressed_tensors/utils/match.py); transformers takes a regular
expression at a module boundary or a suffix (transformers/quantizers/quantizers_utils.py); GPTQModel's `dynamic` takes
regular expressions from the start of the name, `-:` before those of modules that stay plain
(gptqmodel/quantization/config.py); auto-round's `extra_config` has names, suffixes, and regular expressions that are
searched for (vLLM .../quantization/inc).

Patterns come from strangers: each match may take 50 ms, a pattern that takes longer is never tried again.

Lists have hundreds of entries and checkpoints a hundred thousand modules, which share a few dozen name patterns: which
entries can cover any name of a pattern is found out once, and regular expressions are tried together before they are
tried one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from ..names import pattern_of
from .joined import TIMEOUT, Joined, can_join, compiled

MAX_PATTERN = 2000  # characters
_KEPT = 1 << 20  # entries that are remembered for patterns of names

# Class names that stand for "every linear layer"; other capitalized words name classes that are no linear layers.
_LINEAR_CLASSES = frozenset({"linear", "linearbase"})
_NOT_LITERAL = re.compile(r"[\d*?]+")  # numbers, that patterns of names lack, and what globs replace
_REGULAR = frozenset({"search", "signed", "bare_regex"})  # styles in which every entry is a regular expression
_ENDS = frozenset({"exact", "suffix"})  # styles of entries that stand at the end of what they cover
_MANY = 8  # regular expressions that are worth joining


@dataclass
class Matcher:
    """The entries of one list; `broken` collects patterns that could not be evaluated."""

    entries: tuple[str, ...]
    styles: tuple[str, ...]
    broken: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._exact = frozenset(self.entries) if "exact" in self.styles else frozenset()
        self._others = [e for e in self.entries if len(e) <= MAX_PATTERN]
        self._able: dict[str, tuple[list[str], list[str]]] = {}  # by pattern of names
        self._room = _KEPT

    @cached_property
    def _together(self) -> tuple[frozenset[str], Callable[[str], bool]]:
        """The entries that are tried together, and whether one of them may cover a module."""
        found = {e: p for e in self._others if (p := self._expression(e)) is not None and can_join(p)}
        if len(found) < _MANY:
            return frozenset(), lambda _: True
        joined = Joined(found.values(), "search" in self.styles)
        ends = tuple(found)
        # No entry of another style begins with `re:`, but a hostile name might.
        return frozenset(found), lambda module: ":" in module or module.endswith(ends) or joined.hit(module)

    def covering(self, module: str, linear: bool = True) -> str | None:
        """The entry that covers a module, or None; `linear` says whether class names such as Linear apply to it."""
        if module in self._exact:
            return module
        if not self._others:
            return None
        pattern = pattern_of(module)
        together, may_cover = self._together
        known = self._able.get(pattern)
        if known is None:
            able = [e for e in self._others if self._may_cover(e, pattern)]
            known = able, [e for e in able if e not in together]
            self._room -= sum(map(len, known)) + 1
            if self._room > 0:
                self._able[pattern] = known
        able, apart = known
        for entry in able if not together or may_cover(module) else apart:
            if entry not in self.broken and self._covers(entry, module, linear):
                return entry
        return None

    def _may_cover(self, entry: str, pattern: str) -> bool:
        """Whether an entry may cover some name of a pattern: those it covers hold all of its literal pieces."""
        if not _REGULAR.isdisjoint(self.styles) or ("regex" in self.styles and entry.startswith("re:")):
            return True
        if "class" in self.styles and entry.lower() in _LINEAR_CLASSES:
            return True
        return all(piece in pattern for piece in _NOT_LITERAL.split(entry.partition("[")[0]))

    def _expression(self, entry: str) -> str | None:
        """The regular expression by which alone, or by standing at its end, an entry covers a module; None for others.

        It is to be found from the start of a name, of the style `search` anywhere.
        """
        if entry.startswith("re:") and "regex" in self.styles and _REGULAR.isdisjoint(self.styles):
            return entry[3:]
        regular = _REGULAR.intersection(self.styles)
        if len(regular) != 1 or not regular | _ENDS >= set(self.styles):
            return None
        if "bare_regex" in regular:
            return _up_to_boundary(entry)
        return entry[2:] if "signed" in regular and entry[:2] in ("+:", "-:") else entry

    def _covers(self, entry: str, module: str, linear: bool) -> bool:
        for style in self.styles:
            if style == "exact" and entry == module:
                return True
            if style == "prefix" and (module.startswith(entry + ".") or module == entry):
                return True
            if style == "suffix" and (module == entry or module.endswith("." + entry)):
                return True
            if style == "substring" and entry and entry in module:
                return True
            if style == "glob" and any(c in entry for c in "*?[") and fnmatchcase(module, entry):
                return True
            if style == "component_glob" and any(fnmatchcase(p, entry) for p in module.split(".")):
                return True
            if style == "regex" and entry.startswith("re:") and self._search(entry[3:], module, entry):
                return True
            if style == "search" and self._search(entry, module, entry, anywhere=True):
                return True
            if style == "signed" and self._search(entry[2:] if entry[:2] in ("+:", "-:") else entry, module, entry):
                return True
            if style == "bare_regex" and self._boundary(entry, module):
                return True
            if style == "class" and linear and entry.lower() in _LINEAR_CLASSES:
                return True
        return False

    def _search(self, pattern: str, module: str, entry: str, anywhere: bool = False) -> bool:
        expression, error = compiled(pattern)
        if expression is None:
            self.broken[entry] = error
            return False
        try:
            find = expression.search if anywhere else expression.match
            return find(module, timeout=TIMEOUT) is not None
        except TimeoutError:
            self.broken[entry] = "it takes too long to match"
            return False

    def _boundary(self, entry: str, module: str) -> bool:
        """Transformers: the entry as a regular expression up to a module boundary, or as a suffix."""
        if module.endswith(entry):
            return True
        return self._search(_up_to_boundary(entry), module, entry)


def _up_to_boundary(entry: str) -> str:
    """Transformers' regular expression for an entry."""
    pattern = entry.replace("*", ".*") if "*" in entry and ".*" not in entry else entry
    return rf"(?:{pattern})(?:\.|$)"


def matcher(entries: Iterable[Any], styles: tuple[str, ...]) -> Matcher:
    """A matcher over the text entries of a list."""
    return Matcher(tuple(dict.fromkeys(e for e in entries if isinstance(e, str))), styles)
