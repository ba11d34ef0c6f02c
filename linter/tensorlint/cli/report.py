"""`tensorlint report`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..report.interface import Options
from ..report.reading import load_report
from ..report.terminal import colored, columns
from ..rulebook.library import load_book
from .outputs import Output, Writer, format_option


@click.command("report", short_help="Render a JSON report again.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@format_option
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="Findings shown; 0 for all.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours in text.",
)
@click.option("-q", "--quiet", is_flag=True, help="Leave notes out of text, concise and Markdown.")
@click.option("--show-suppressed", is_flag=True, help="Show suppressed findings, too.")
def command(file: Path, outputs: tuple[Output, ...], limit: int, color: str, quiet: bool, show_suppressed: bool) -> int:
    """Write an earlier JSON report in another format, without reading the checkpoint again.

    FILE is what `tensorlint check -f json` wrote, of one target or of several; `-` is stdin. The exit code is 0: what
    was found decided that of the check.

    \b
    tensorlint check ./model -f json=report.json -f text
    tensorlint report report.json                   as text, as it was
    tensorlint report report.json -f markdown       for the summary of a CI job
    tensorlint report report.json -f sarif=out.sarif -f junit=out.xml
    """
    outcomes = load_report(str(file))
    options = Options(
        colored(color, sys.stdout),
        limit,
        columns(),
        not quiet,
        suppressed=show_suppressed,
        rules=load_book().rules,
    )
    writer = Writer(outputs, options)
    for outcome in outcomes:
        writer.add(outcome)
    writer.close()
    return 0
