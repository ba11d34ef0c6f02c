"""Rules as they are after loading: frozen, with their conditions compiled to closures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal, get_args

from .message import NOTHING, Template

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # most severe first
FailOn = Literal[Severity, "never"]  # the least severity that makes a run fail
FAIL_ON: tuple[FailOn, ...] = get_args(FailOn)
EACH = ("tensor", "module", "checkpoint", "fact")
SUBJECTS = ("files", "tensors", "model")
AWAITED = ("shards", "index")


# Gives the value of a word or a dotted field of the unit a rule looks at (`nan`, `weight.shape`,
# `config.hidden_size`); None when the unit has no such thing.
Lookup = Callable[[str], Any]
Test = Callable[[Lookup], bool]


@dataclass(frozen=True)
class Scope:
    """Which units a rule looks at; an empty tuple means any."""

    schemes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    not_roles: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    not_holds: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    not_modules: tuple[str, ...] = ()
    quantized: bool | None = None
    dims: tuple[int, ...] = ()

    def covers(
        self,
        *,
        scheme: str = "",
        part: str = "",
        kind: str = "",
        roles: frozenset[str] = frozenset(),
        dtype: str = "",
        holds: str = "",
        label: str = "",
        sign: str = "",
        convention: str = "",
        tensor: str = "",
        module: str = "",
        quantized: bool = False,
        dims: int = 0,
    ) -> bool:
        """Whether a unit with these properties is in scope."""
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.parts or part in self.parts)
            and (self.quantized is None or self.quantized == quantized)
            and (not self.schemes or any(fnmatchcase(scheme, s) for s in self.schemes))
            and (not self.dtypes or dtype in self.dtypes)
            and (not self.holds or holds in self.holds)
            and holds not in self.not_holds
            and (not self.labels or label in self.labels)
            and (not self.signs or sign in self.signs)
            and (not self.conventions or convention in self.conventions)
            and (not self.dims or dims in self.dims)
            and (not self.roles or not roles.isdisjoint(self.roles))
            and roles.isdisjoint(self.not_roles)
            and (not self.tensors or any(fnmatchcase(tensor, g) for g in self.tensors))
            and (not self.modules or any(fnmatchcase(module, g) for g in self.modules))
            and not any(fnmatchcase(module, g) for g in self.not_modules)
        )


@dataclass(frozen=True)
class Example:
    """One example of a rule or scheme file: files of a small checkpoint, and what must be said about it.

    `stated` holds sizes in bytes that a listing gives, for files where it contradicts the content; `rule` is the rule
    that must find it, in a scheme file.
    """

    files: Mapping[str, bytes | None]
    says: str = ""
    place: str = ""
    stated: Mapping[str, int] = field(default_factory=dict)
    rule: str = ""


Examples = tuple[Example, ...]


def _no_examples() -> tuple[Examples, Examples]:
    return (), ()


@dataclass(frozen=True)
class Rule:
    """One rule.

    `each` says what it looks at; `fact` names the fact for fact rules. A unit in scope for which `when` holds must
    meet `require`, else there is a finding (a fact rule has no `require`: the fact itself is the finding). `words` are
    the measures it needs, by part name ("" for the tensor itself). `about` says what it speaks of: files, tensors each
    for itself, or the model, of which nothing is certain before all shards are there; `awaits` what a later upload may
    bring that it misses, if anything.
    """

    id: str
    summary: str
    severity: Severity
    message: Template
    each: str
    path: str
    scope: Scope = Scope()
    fact: str = ""
    when: tuple[Test, ...] = ()
    require: tuple[Test, ...] = ()
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    points_at: str = ""  # the measure word whose first position is shown
    params: Mapping[str, float] = field(default_factory=dict)
    effect: Template = NOTHING
    remedy: Template = NOTHING
    why: str = ""
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # causes it does not repeat, by nearness
    see: tuple[str, ...] = ()
    since: str = ""
    was: tuple[str, ...] = ()  # earlier names
    about: str = "model"
    awaits: str = ""
    engine: str = ""  # the engine whose limit it is; such a rule runs only when that engine is asked for
    examples: Callable[[], tuple[Examples, Examples]] = field(default=_no_examples, compare=False, repr=False)

    @cached_property
    def bad(self) -> Examples:
        """Examples about which something is said; raises RuleFileError at the place of a mistake in any example."""
        return self.examples()[0]

    @cached_property
    def good(self) -> Examples:
        """Examples about which nothing is said; raises like `bad`."""
        return self.examples()[1]

    @property
    def depth(self) -> str:
        """`headers` when no bytes of tensors are needed, else `bytes`."""
        return "bytes" if any(self.words.values()) else "headers"
