"""What a shell offers for a word that is no option. No rule file is read for it."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from ..rulebook.shipped import rule_names, scheme_names


def starting(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The words that begin so."""
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


class Rules(click.ParamType):
    """A rule, or a folder of rules."""

    name = "rules"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Rules, and folders of them."""
        rules = rule_names()
        return starting([*dict.fromkeys(name.partition("/")[0] for name in rules), *rules], incomplete)


class Named(click.ParamType):
    """Anything that can be explained."""

    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Rules and schemes."""
        return starting([*rule_names(), *scheme_names()], incomplete)


class Target(click.ParamType):
    """A path, or a model on the Hub."""

    name = "target"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Files and folders, which the shell finds itself."""
        return [CompletionItem(incomplete, type="file")]


RULES, NAMED, TARGET = Rules(), Named(), Target()
