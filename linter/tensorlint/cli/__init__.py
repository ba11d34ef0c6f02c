"""The command line: one module per command, loaded when it is called."""

from __future__ import annotations

import difflib
import gc
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import TensorlintError, UsageError
from ..text.about import VERSION
from .complain import complain, complain_about_usage, remark

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# command -> one line for `--help`; the module of the same name, with `_` for `-`, holds it as `command`
COMMANDS: Mapping[str, str] = {
    "check": "Check checkpoints (the default command).",
    "report": "Render a JSON report again.",
    "stats": "What is in a checkpoint: schemes, sizes, values.",
    "rules": "List the rules.",
    "explain": "Explain one rule, scheme, fact or word.",
    "test": "Run the examples in rule files.",
    "run": "Run a command with the upload gate in it.",
    "upload": "Upload a checkpoint, after checking it.",
    "cache": "Show or clear the cache of measures.",
    "init": "Write a configuration, a hook and a workflow for this repository.",
    "schema": "Print the JSON Schema of a configuration, a rule file or a report.",
    "git-hook": "Check checkpoints before `git push`.",
    "pre-commit": "Check what a commit changes.",
    "completion": "Print the script that completes commands in a shell.",
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
        command = import_module(f".{name.replace('-', '_')}", __name__).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command list, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, without importing them; options where one is begun; else what could be checked."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=about) for name, about in COMMANDS.items() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]  # click's bash script shows files or words, not both

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`tensorlint PATH` means `tensorlint check PATH`; a mistyped command is no path."""
        if args and args[0] not in (*COMMANDS, "-h", "--help", "--version", "-V"):
            _refuse_slip(args[0])
            args = ["check", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Ctrl-C and a closed pipe are kept from click, which would print more and exit with 1."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            raise _Ended(130, "interrupted") from None
        except BrokenPipeError:
            raise _Ended(141, "") from None
        return code


class _Ended(Exception):
    """The run was ended from outside; `code` is the shell's for that."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def _refuse_slip(word: str) -> None:
    """Raise UsageError for a word that is nearly a command and nothing that could be checked."""
    near = difflib.get_close_matches(word, COMMANDS, 1, 0.7)
    if near and re.fullmatch(r"[a-z-]+", word) and not Path(word).exists():
        raise UsageError(f"there is no command or file `{word}`", f"did you mean `tensorlint {near[0]}`?")


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, "-V", "--version", prog_name="tensorlint")
def cli() -> None:
    """Find what is wrong with a quantized safetensors checkpoint before it is published or served.

    \b
    tensorlint ./Llama-3.1-8B-NVFP4                 everything, all bytes
    tensorlint check DIR --depth scales             headers and scales only: fast
    tensorlint check DIR -f json > report.json      the whole report for other tools
    tensorlint explain scales/nan                   what a rule means and what to do
    tensorlint test --rules my-rules/               run the examples in your own rules

    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 wrong usage or rule file, 3 nothing to check,
    4 could not finish, 130 interrupted.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns (and exits with) the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that the terminal's encoding lacks is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    gc.set_threshold(50_000, 20, 20)  # what is made is kept to the end: looking for garbage took a tenth of the time
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = remark
            code = cli.main(args=arguments, prog_name="tensorlint", standalone_mode=False)
        code = code if isinstance(code, int) else 0
    except TensorlintError as error:
        complain(error.message, error.hint)
        code = error.exit_code
    except click.ClickException as error:
        complain_about_usage(error)
        code = 2
    except _Ended as error:
        code = error.code
        if str(error):
            click.echo(str(error), err=True)
        else:  # the reader of our output went away (`| head`): nothing is wrong, and nobody is left to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = 130
    except (OSError, MemoryError) as error:
        complain(f"could not finish: {error or 'out of memory'}", "")
        code = 4
    except Exception as error:
        if os.environ.get("TENSORLINT_TRACEBACK"):
            raise
        hint = "this is a mistake in tensorlint: please report it, with what TENSORLINT_TRACEBACK=1 shows"
        complain(f"could not finish: {type(error).__name__}: {error}", hint)
        code = 4
    if argv is None:
        sys.exit(code)
    return code
