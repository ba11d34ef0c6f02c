"""`-f FORMAT[=FILE]`: one format to stdout, any number of formats to files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..errors import UnfinishedError, UsageError
from ..files import makes
from ..report.formats import REPORTERS
from ..report.github import guarded
from ..report.interface import Failure, Format, Options, Outcome
from ..report.text import verdict
from ..text.wording import printable
from .writing import write

_FILE_WIDTH = 120  # columns of text in a file


@dataclass(frozen=True)
class Output:
    """A format and the file it is written to, None for stdout."""

    format: str
    file: Path | None = None

    @property
    def renderer(self) -> Format:
        """What renders it."""
        return REPORTERS[self.format]

    @property
    def place(self) -> str:
        """Where it goes, the same for two names of one file."""
        return str(self.file.resolve()) if self.file else "stdout"


class _Type(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 only
    """Text that `parse` takes."""

    name = "format"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        return value if isinstance(value, Output) else parse(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in REPORTERS if name.startswith(incomplete)]


format_option: Callable[[Any], Any] = click.option(
    "-f",
    "--format",
    "outputs",
    type=_Type(),
    multiple=True,
    default=("text",),
    show_default="text",
    metavar="FORMAT[=FILE]",
    help="How the report is written, and the file it goes to instead of stdout. Repeatable. One of: "
    f"{', '.join(REPORTERS)}.",
)


def parse(value: str) -> Output:
    """`FORMAT` or `FORMAT=FILE`; `-` is stdout. Raises UsageError for other formats and for files that cannot be."""
    name, equals, path = value.partition("=")
    if name not in REPORTERS:
        near = difflib.get_close_matches(name.lower(), REPORTERS, 1)
        choices = f"one of: {', '.join(REPORTERS)}"
        raise UsageError(
            f"--format cannot be `{name}`", f"did you mean {near[0]}? {choices.capitalize()}" if near else choices
        )
    if equals and not path:
        raise UsageError(f"--format {value} names no file", f"write {name} for stdout, or {name}=FILE")
    if not equals or path == "-":
        return Output(name)
    file = Path(path)
    if file.is_dir():
        raise UsageError(f"--format {value}: that is a folder", f"name a file in it: {name}={file / 'report'}")
    if not file.parent.is_dir():
        raise UsageError(f"--format {value}: there is no folder {file.parent}", f"mkdir -p {file.parent}")
    if makes(path):
        raise UsageError(f"--format {value}: that is the name of a part of a checkpoint", "name another file")
    return Output(name, file)


class Writer:
    """Takes the outcomes of a run one by one; where the format allows it each is on stdout at once."""

    def __init__(self, outputs: Sequence[Output], options: Options) -> None:
        """Raises UsageError where two outputs would go to one place."""
        by_place: dict[str, list[Output]] = {}
        for output in outputs:
            by_place.setdefault(output.place, []).append(output)
        for place, several in by_place.items():
            if len(several) > 1:
                names = " and ".join(o.format for o in several)
                raise UsageError(f"--format: {names} would both go to {place}", "give each a file: FORMAT=FILE")
        self._outputs = tuple(outputs)
        self._options = options
        self._outcomes: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """One more target is done."""
        for output in self._outputs:
            if output.file is None and output.renderer.streams:
                if self._outcomes:
                    click.echo(output.renderer.between, nl=False)
                self._print(output, [outcome])
        self._outcomes.append(outcome)

    def close(self) -> None:
        """Write what needs all outcomes; stderr says what was written when nothing goes to stdout.

        Raises UnfinishedError for a file that cannot be written; the others are written all the same.
        """
        if not self._outcomes:
            return
        trouble = ""
        for output in self._outputs:
            if output.file is None:
                if not output.renderer.streams:
                    self._print(output, self._outcomes)
                continue
            options = replace(self._options, color=False, width=_FILE_WIDTH)
            try:
                write(output.file, output.renderer.render(self._outcomes, options))
            except OSError as error:
                trouble = trouble or f"cannot write {output.file}: {error.strerror or error}"
        if all(output.file for output in self._outputs) and not trouble:
            for outcome in self._outcomes:
                if not isinstance(outcome, Failure):
                    click.echo(printable(f"{outcome.target}: {verdict(outcome, self._options.notes)}"), err=True)
            names = ", ".join(str(output.file) for output in self._outputs)
            click.echo(printable(f"written: {names}"), err=True)
        if trouble:
            raise UnfinishedError(trouble)

    def _print(self, output: Output, outcomes: Sequence[Outcome]) -> None:
        text = output.renderer.render(outcomes, self._options)
        if output.renderer.streams and os.environ.get("GITHUB_ACTIONS") == "true":
            text = guarded(text)
        click.echo(text, nl=False, color=True)
