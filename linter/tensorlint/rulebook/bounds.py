"""`word: 0`, `word: text` and `word: {at_least: 1, below: $limit}`: comparisons with one value.

A bound that contradicts another, can never hold, or always holds is an error: a rule with it would be silent or noisy
for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..measures.interface import COUNTED
from ..text.place import suggest
from ..text.yamltext import Item
from . import vocabulary as v
from .model import Test

_ORDER: Mapping[str, Callable[[Any, float], bool]] = {
    "at_least": lambda x, n: x >= n,
    "at_most": lambda x, n: x <= n,
    "above": lambda x, n: x > n,
    "below": lambda x, n: x < n,
}
_LOWER, _UPPER, _ALONE = ("at_least", "above"), ("at_most", "below"), ("equals", "one_of")


@dataclass(frozen=True)
class Domain:
    """The numbers a word can be."""

    low: float
    high: float
    whole: bool = False
    says: str = ""

    def has(self, x: float) -> bool:
        """Whether a word of this domain can be x."""
        return self.low <= x <= self.high and (not self.whole or float(x).is_integer())


_ANY = Domain(-math.inf, math.inf)
_COUNT = Domain(0, math.inf, True, "it counts elements: a whole number from 0")
DOMAINS: Mapping[str, Domain] = {
    **dict.fromkeys(("count", "zero_pages", *COUNTED), _COUNT),
    **dict.fromkeys(v.SHARES, Domain(0, 1, False, "a share lies between 0 and 1: 5 % is 0.05")),
    **dict.fromkeys(("smallest", "largest"), Domain(0, math.inf, False, "it is a magnitude: never below 0")),
    **dict.fromkeys(("uniform", "all_zero"), Domain(0, 1, True, "it is 0 or 1")),
    "byte": Domain(0, 255, True, "it is a byte: 0 to 255"),
}


class Comparer:
    """Builds comparisons; `params` are the rule's, `used` collects those that `$name` refers to."""

    def __init__(self, params: Mapping[str, float]) -> None:
        self.params = params
        self.used: set[str] = set()

    def compare(self, word: str, item: Item, numeric: bool, options: Mapping[str, object] | None = None) -> Test:
        """A test of `word`; `numeric` when it is a number, `options` when it is one of a closed list of texts.

        A unit without a value does not pass. Raises RuleFileError.
        """
        domain = DOMAINS.get(word, _ANY) if numeric else _ANY
        if item.is_map:
            return self._bounds(word, item, numeric, domain)
        if item.is_list:
            for one in item.one_or_more():
                if numeric or one.is_number:
                    item.fail(
                        f"a list of numbers for `{word}` could be a range or a choice",
                        "write {at_least: 0, at_most: 5} or {one_of: [0, 5]}",
                    )
            texts = [self._scalar(i, word, numeric, domain, options) for i in item.one_or_more()]
            return lambda u: u(word) in texts
        wanted = self._scalar(item, word, numeric, domain, options)
        return lambda u: u(word) == wanted

    def _bounds(self, word: str, item: Item, numeric: bool, domain: Domain) -> Test:
        tests: list[Callable[[Any], bool]] = []
        keys = item.mapping(f"`{word}`", v.BOUNDS)
        for group in (_LOWER, _UPPER):
            both = [k for k in group if k in keys]
            if len(both) > 1:
                keys[both[1]].fail_key(f"`{word}` has both `{both[0]}` and `{both[1]}`", "one of them is enough")
        alone = next((k for k in _ALONE if k in keys), "")
        if alone and len(keys) > 1:
            keys[alone].fail_key(f"`{alone}` leaves nothing for another bound to say", "keep one of them")
        limits: dict[str, float] = {}
        for bound, value in keys.items():
            if bound == "one_of":
                choices = [self._scalar(i, word, numeric, domain) for i in value.sequence("`one_of`")]
                if not choices:
                    value.fail("`one_of` is empty: nothing would pass", "name at least one value")
                tests.append(lambda x, c=choices: x in c)  # type: ignore[misc]
                continue
            limit = self._scalar(value, word, numeric, domain if bound in ("equals", "not") else _ANY)
            if bound in ("equals", "not"):
                tests.append(lambda x, n=limit, same=bound == "equals": (x == n) == same)  # type: ignore[misc]
                continue
            if isinstance(limit, bool) or not isinstance(limit, (int, float)):
                value.fail(f"`{bound}` compares numbers, `{value.raw}` is none", "`equals` and `not` compare texts")
            if value.raw.startswith("$") and not domain.low <= limit <= domain.high:
                value.fail(f"`{value.raw[1:]}` is {limit:g}, but `{word}` never is", domain.says)
            limits[bound] = limit
            tests.append(lambda x, n=limit, o=_ORDER[bound]: isinstance(x, (int, float)) and o(x, n))  # type: ignore[misc]
        if limits:
            settable = any(keys[bound].raw.startswith("$") for bound in limits)
            _check(word, item, keys, limits, domain, settable)

        def test(u: Callable[[str], Any]) -> bool:
            value = u(word)
            return value is not None and all(t(value) for t in tests)

        return test

    def _scalar(
        self, item: Item, word: str, numeric: bool, domain: Domain, options: Mapping[str, object] | None = None
    ) -> Any:
        if item.raw.startswith("$"):
            name = item.raw[1:]
            if name not in self.params:
                hint = suggest(name, self.params) or f"declare it: `params: {{{name or 'limit'}: 0.5}}`"
                item.fail(f"`{item.raw}` is not a param of this rule", hint)
            self.used.add(name)
            return self.params[name]
        if item.is_map or item.is_list:
            item.fail(f"`{word}` is compared with one value", "one of: a value, or bounds such as {at_least: 1}")
        if numeric or item.is_number:
            value = item.number(f"`{word}`")
            if not domain.has(value):
                item.fail(f"`{word}` is never {item.raw}", domain.says)
            return value
        if item.is_boolean:
            return item.boolean(f"`{word}`")
        if options is not None:
            return item.word(f"a {word}", options)
        return item.string(f"`{word}`", empty=True)


def _check(
    word: str, item: Item, keys: Mapping[str, Item], limits: dict[str, float], domain: Domain, settable: bool
) -> None:
    """Fail for bounds between which there is nothing, and for literal ones that always or never hold."""
    low, low_open = limits.get("at_least", limits.get("above", -math.inf)), "above" in limits
    high, high_open = limits.get("at_most", limits.get("below", math.inf)), "below" in limits
    last = keys[list(limits)[-1]]
    if low > high or (low == high and (low_open or high_open)):
        said = " and ".join(f"{bound} {n:g}" for bound, n in limits.items())
        last.fail(f"`{word}` cannot be {said}", "the bounds exclude everything")
    if domain.whole:
        low, low_open = (math.floor(low) + 1 if low_open else math.ceil(low)) if low > -math.inf else low, False
        high, high_open = (math.ceil(high) - 1 if high_open else math.floor(high)) if high < math.inf else high, False
        if low > high:
            last.fail(f"no whole number lies between the bounds of `{word}`", domain.says)
    if settable or domain is _ANY:
        return
    above = low > domain.high or (low == domain.high and low_open)
    if above or high < domain.low or (high == domain.low and high_open):
        last.fail(f"`{word}` can never be like this", domain.says)
    everything_above = low < domain.low or (low == domain.low and not low_open)
    if everything_above and (high > domain.high or (high == domain.high and not high_open)):
        last.fail(f"`{word}` is always like this: the bounds leave nothing out", domain.says)
