"""Options that say under which settings a target is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from ..measures.device.choice import NAMES
from ..measures.plan import DEPTHS
from ..rulebook.model import FAIL_ON, FailOn
from ..rulebook.shipped import engine_names
from ..settings.keys import Param, Selector
from ..settings.tasks import Wanted, wanted
from .common import jobs_option, rules_option
from .completing import offer_engines, offer_rules

_OPTIONS = (
    click.option(
        "--select",
        multiple=True,
        shell_complete=offer_rules,
        metavar="RULES",
        help="Only these rules: names, globs or folders. Repeatable.",
    ),
    click.option(
        "--ignore", multiple=True, shell_complete=offer_rules, metavar="RULES", help="Not these rules. Repeatable."
    ),
    click.option(
        "--engine",
        "engines",
        multiple=True,
        shell_complete=offer_engines,
        metavar="NAME",
        help=f"Also say what an engine refuses, ignores or reads otherwise: {', '.join(engine_names())}, or one of "
        "your own (--rules). Repeatable.",
    ),
    click.option(
        "--set",
        "params",
        multiple=True,
        metavar="RULE.PARAM=NUMBER",
        help="Set a number of a rule, such as scales/saturated.limit=0.05. Repeatable.",
    ),
    rules_option,
    click.option(
        "--fail-on",
        type=click.Choice(FAIL_ON),
        default=None,
        show_default="error",
        help="Least severity that makes the exit code 1.",
    ),
    click.option(
        "--fail-on-coverage",
        is_flag=True,
        default=None,
        help="Exit code 1 also when something could not be looked at, or not at this depth.",
    ),
    jobs_option,
    click.option(
        "--device",
        default=None,
        show_default="auto",
        metavar="DEVICE",
        help=f"What measures: {NAMES}. A GPU needs torch; auto takes one only where it wins, which is rare.",
    ),
    click.option(
        "--baseline",
        type=click.Path(),
        default=None,
        metavar="REPORT.json",
        help="An earlier JSON report: what it holds is known, and does not count.",
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        default=None,
        metavar="FILE",
        help="The configuration, instead of the tensorlint.toml or pyproject.toml in or above the target.",
    ),
    click.option("--isolated", is_flag=True, help="Follow no configuration file."),
)


def settings_options(function: Callable[..., Any], depth: str = "full; for a model on the Hub scales") -> Any:
    """Add the options; the command gets them as keyword arguments, see `asked_for`. `depth` is the default in words."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return click.option(
        "--depth",
        type=click.Choice(DEPTHS),
        default=None,
        show_default=depth,
        help="How much is read: the JSON headers, also the scales, or every byte.",
    )(function)


def asked_for(
    params: Iterable[str],
    extra_rules: Iterable[Path],
    fail_on: FailOn | None,
    fail_on_coverage: bool | None,
    **same: Any,
) -> Wanted:
    """What the options ask for. Raises UsageError for options that contradict each other or cannot be read."""
    more: dict[str, Any] = {
        "params": tuple(map(_param, params)) or None,
        "fail-on": fail_on,
        "fail-on-coverage": fail_on_coverage or None,
    }
    return wanted(rules=extra_rules, **same, **more)


def _param(text: str) -> Param:
    key, equals, number = text.partition("=")
    rule, dot, name = key.rpartition(".")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not (equals and dot and rule and name):
        raise UsageError(f"`--set {text}` is not RULE.PARAM=NUMBER", "such as --set scales/saturated.limit=0.05")
    if not abs(value) < float("inf"):
        raise UsageError(f"`{number}` in `--set {text}` is not a number", "such as --set scales/saturated.limit=0.05")
    return Param(Selector(rule.strip()), name.strip(), int(value) if value.is_integer() else value)
