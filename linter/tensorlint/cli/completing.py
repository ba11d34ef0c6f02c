"""What a shell offers for a word that is no option. No rule file is read for it."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from ..rulebook.shipped import rule_names, scheme_names


def offer_rules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Rules, and folders of them."""
    names = rule_names()
    return _starting([*dict.fromkeys(name.partition("/")[0] for name in names), *names], incomplete)


def offer_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Rules and schemes."""
    return _starting([*rule_names(), *scheme_names()], incomplete)


def offer_paths(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and folders, which the shell finds itself."""
    return [CompletionItem(incomplete, type="file")]


def _starting(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
