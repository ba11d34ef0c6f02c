"""`tensorlint completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_TENSORLINT_COMPLETE"


@click.command("completion", short_help="Print the script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the script that makes a shell complete commands, options, rules, formats and files.

    \b
    eval "$(tensorlint completion bash)"           in ~/.bashrc
    eval "$(tensorlint completion zsh)"            in ~/.zshrc, after compinit
    tensorlint completion fish > ~/.config/fish/completions/tensorlint.fish
    """
    from . import cli

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "tensorlint", VARIABLE)
    click.echo(script.source_template % script.source_vars())  # `source()` would run bash to ask for its version
    return 0
