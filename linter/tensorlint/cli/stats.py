"""`tensorlint stats`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import UnfinishedError, UsageError
from ..measures.plan import DEPTHS, Depth
from ..report.terminal import bar, colored, columns
from ..sources.interface import RemoteSource
from ..sources.opening import opened
from .common import book_with, color_option, jobs_option, progress_option, rules_option
from .measures import cache_option, user_cache
from .writing import write

FORMATS = ("text", "json", "csv", "parquet")


@click.command("stats", short_help="What is in a checkpoint: schemes, sizes, values.")
@click.argument("target")
@click.argument("pattern", required=False, default="", metavar="[GLOB]")
@click.option("--tensors", is_flag=True, help="Values of the tensors: NaN, zeros, extremes, entropy, histograms.")
@click.option(
    "--depth",
    type=click.Choice(DEPTHS),
    default=None,
    show_default="headers; with tensors full, for a model on the Hub scales",
    help="How much is read: the JSON headers, also the scales, or every byte.",
)
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="csv and parquet hold a row per tensor, json also the sums.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Write to a file instead of standard output; parquet needs one.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="Rows of a table in text; 0 for all.",
)
@color_option
@progress_option
@jobs_option
@cache_option
@rules_option
def command(
    target: str,
    pattern: str,
    tensors: bool,
    depth: Depth | None,
    format_: str,
    output: Path | None,
    limit: int,
    color: str,
    progress: bool | None,
    jobs: int | None,
    no_cache: bool,
    extra_rules: tuple[Path, ...],
) -> int:
    """Show what is in a checkpoint: schemes, parameters, bits per weight, roles, layers, the largest tensors.

    With a GLOB over tensor or module names, or --tensors, it shows values instead: how many are NaN, infinite, zero or
    at the largest magnitude of their format, the smallest and largest magnitude, the entropy in bits per code, and a
    histogram of exponents (of codes for integers and FP4). It judges nothing; `tensorlint check` does.

    \b
    tensorlint stats ./model                                     sizes, from the headers alone
    tensorlint stats ./model 'model.layers.17.mlp.*'             values of some tensors
    tensorlint stats ./model --tensors --depth scales            values of all scales, siblings in one line
    tensorlint stats org/model -f csv --depth headers > all.csv  a row per tensor, for your own SQL
    tensorlint stats ./model -f parquet -o all.parquet
    """
    if format_ == "parquet" and output is None:
        raise UsageError("parquet is binary and needs a file", "add -o FILE.parquet")
    from ..stats import report, tabular, text
    from ..stats.bars import BARS

    book = book_with(extra_rules)
    wanted = bool(pattern) or tensors or depth not in (None, "headers") or format_ in ("csv", "parquet")
    with opened(target, book.configs) as source:
        contents = report.survey(source, book, pattern)
        reach = depth or ("headers" if not wanted else "scales" if isinstance(source, RemoteSource) else "full")
        ahead = sum(row.tensor.nbytes for row in report.to_read(contents, reach))
        with bar(ahead, target, progress) as advance:
            cache = None if no_cache else user_cache
            contents = report.with_values(source, contents, reach, advance, jobs or 0, cache)
    if format_ == "parquet":
        assert output is not None
        tabular.write_parquet(contents, output)
        return 0
    if format_ == "text":
        styled = colored(color, sys.stdout) and (output is None or color == "always")
        written = text.render(contents, wanted, limit, columns(), styled, _draws(BARS))
    else:
        written = tabular.as_json(contents) if format_ == "json" else tabular.as_csv(contents)
    if output is None:
        click.echo(written, nl=False, color=True)
    else:
        try:
            write(output, written)
        except OSError as error:
            raise UnfinishedError(f"cannot write {output}: {error.strerror or error}") from error
    return 0


def _draws(bars: str) -> bool:
    """Whether standard output can show block characters."""
    try:
        bars.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
