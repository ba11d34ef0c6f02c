"""GitHub workflow commands, which become annotations of a run and of the files of a pull request.

Facts: a step shows ten annotations of each level (actions/toolkit, docs/problem-matchers.md); `%`, CR and LF are
escaped in messages, `:` and `,` also in properties (actions/toolkit, packages/core/src/command.ts). A path is relative
to the workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..rulebook.model import SEVERITIES, Severity
from ..text.wording import plural, printable
from .interface import Failure, Options, Outcome
from .places import Places, Spot
from .text import coverage, verdict
from .words import NAME, counted, cut, paragraphs

_MOST = 10  # annotations of a level
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


@dataclass(frozen=True)
class _Annotation:
    severity: Severity
    title: str
    text: str
    spot: Spot | None = None


def render(outcomes: Sequence[Outcome], options: Options) -> str:
    """At most ten commands of each level, then the verdict and what was read of each target."""
    found = [a for o in outcomes for a in _annotations(o)]
    rows: list[str] = []
    for severity in SEVERITIES:
        mine = [a for a in found if a.severity == severity]
        if len(mine) > _MOST:
            rest = len(mine) - _MOST + 1
            title = f"{plural(rest, f'more {severity}')}"
            more = _Annotation(severity, "tensorlint", f"{title}: the whole report has all of them")
            mine = [*mine[: _MOST - 1], more]
        rows += map(_command, mine)
    for outcome in outcomes:
        rows += map(guarded, _closing(outcome, options))
    return "\n".join(rows) + "\n"


def _annotations(outcome: Outcome) -> Iterable[_Annotation]:
    if isinstance(outcome, Failure):
        yield _Annotation("error", "tensorlint could not check", cut(f"{outcome.target}: {outcome.message}", 2 * NAME))
        return
    if outcome.stopped:
        yield _Annotation("error", "tensorlint stopped", cut(f"{outcome.target}: {outcome.stopped}", 2 * NAME))
    places = Places(outcome)
    for f in counted(outcome):
        spot = places.spot(f.locations[0] if f.locations else None)
        yield _Annotation(f.severity, f.rule, "\n".join(paragraphs(f)), spot)


def _command(a: _Annotation) -> str:
    properties = {"title": a.title}
    if a.spot is not None and a.spot.inside:
        properties = {"file": printable(a.spot.path), "line": str(a.spot.line), **properties}
    text = a.text if a.spot is None or a.spot.inside else f"{printable(a.spot.path)}: {a.text}"
    said = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{_COMMANDS[a.severity]} {said}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _closing(outcome: Outcome, options: Options) -> list[str]:
    """Plain lines of the log; none begins with what a stranger wrote, which could be a command."""
    target = "target " + cut(outcome.target, NAME)
    if isinstance(outcome, Failure):
        return [f"{target}: not checked"]
    return [f"{target}: {verdict(outcome, options.notes)}", *coverage(outcome)]


def guarded(text: str) -> str:
    """Text for the log of a workflow, in which no line is a command: names in it come from strangers.

    The runner takes `::name::` after blanks, and `##[name]` anywhere in a line (actions/runner, ActionCommand.cs).
    """
    rows = text.replace("##[", "\\x23#[").split("\n")
    return "\n".join(r.replace("::", "\\x3a:", 1) if r.lstrip().startswith("::") else r for r in rows)
