"""A page for every command, from its own declarations, so that no page depends on how click lays out its help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from marks import NOTE, cell

from tensorlint.cli import COMMANDS, cli


def command_pages() -> Iterator[tuple[str, str]]:
    """Relative path and text: an overview, and one page of every command."""
    rows = ["# Commands", "", *_help(cli), "| command | what it does |", "|---|---|"]
    rows += [f"| [{name}]({name}.md) | {cell(about)} |" for name, about in COMMANDS.items()]
    yield "commands/README.md", NOTE + "\n".join(rows) + "\n"
    with click.Context(cli, info_name="tensorlint") as ctx:
        for name in COMMANDS:
            command = cli.get_command(ctx, name)
            assert command is not None
            yield f"commands/{name}.md", NOTE + _page(command, f"tensorlint {name}")


def _page(command: click.Command, path: str, level: int = 1) -> str:
    rows = [f"{'#' * level} {path}", "", *_usage(command, path), *_help(command)]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        rows += ["| option | meaning | default |", "|---|---|---|", *map(_option, options), ""]
    if isinstance(command, click.Group):
        rows += [_page(c, f"{path} {name}", level + 1) for name, c in command.commands.items()]
    return "\n".join(rows).rstrip() + "\n"


def _usage(command: click.Command, path: str) -> list[str]:
    with click.Context(command) as ctx:
        return ["```", f"{path} {' '.join(command.collect_usage_pieces(ctx))}".rstrip(), "```", ""]


def _help(command: click.Command) -> list[str]:
    """Paragraphs of a docstring; what follows a form-feed marker is shown as written."""
    rows: list[str] = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        lines = paragraph.splitlines()
        if lines and lines[0].strip() == "\b":
            rows += ["```", *lines[1:], "```", ""]
        else:
            rows += [" ".join(lines), ""]
    return rows


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{n}`" for n in (*option.opts, *option.secondary_opts))
    if isinstance(option.type, click.Choice):
        names += f" ({', '.join(map(str, option.type.choices))})"
    elif option.metavar:
        names += f" {option.metavar}"
    shown = option.show_default if isinstance(option.show_default, str) else ""
    default = option.default
    if not shown and isinstance(default, (str, int, float)) and not isinstance(default, bool):
        shown = f"`{default}`"
    return f"| {cell(names)} | {cell(option.help or '')} | {cell(shown)} |"
