"""The command line: one module per command, loaded when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from .. import __version__
from ..errors import TensorlintError

# command -> one line for `--help`; the module of the same name holds it as `command`
COMMANDS: Mapping[str, str] = {
    "check": "Check checkpoints (the default command).",
    "rules": "List the rules.",
    "explain": "Explain one rule, scheme, fact or word.",
    "test": "Run the examples in rule files.",
    "run": "Run a command with the upload gate in it.",
    "upload": "Upload a checkpoint, after checking it.",
}


class Lazy(click.Group):
    """A group whose commands are imported when they are used; anything that is no command is a target to check."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Command names, in a fixed order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        command = import_module(f".{name}", __name__).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command list, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`tensorlint PATH` means `tensorlint check PATH`."""
        if (
            args
            and args[0] not in COMMANDS
            and not (args[0].startswith("-") and args[0] in ("-h", "--help", "--version", "-V"))
        ):
            args = ["check", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="tensorlint")
def cli() -> None:
    """Find what is wrong with a quantized safetensors checkpoint before it is published or served.

    \b
    tensorlint ./Llama-3.1-8B-NVFP4                 everything, all bytes
    tensorlint check DIR --depth scales             headers and scales only: fast
    tensorlint check DIR -f json > report.json      the whole report for other tools
    tensorlint explain scales/nan                   what a rule means and what to do

    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 wrong usage or rule file, 3 nothing to check,
    4 could not finish.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns (and exits with) the exit code."""
    try:
        code = cli.main(args=list(argv) if argv is not None else None, prog_name="tensorlint", standalone_mode=False)
        code = code if isinstance(code, int) else 0
    except TensorlintError as error:
        _complain(error.message, error.hint)
        code = error.exit_code
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = 2
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        code = 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`); nothing is wrong with the checkpoint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    if argv is None:
        sys.exit(code)
    return code


def _complain(message: str, hint: str) -> None:
    click.echo(click.style("error", fg="red", bold=True) + f": {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)
