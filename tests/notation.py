"""Small checkpoints in the notation of examples in rule files, and where a rule objects to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from linted import check, rules_of
from tensorlint.rulebook.examples import read_example
from tensorlint.rulebook.library import load_book
from tensorlint.run.plan import jobs_for
from tensorlint.schemes.view import View
from tensorlint.sources.memory import MemorySource
from tensorlint.text.yamlread import read

BOOK = load_book()
Tensors = Mapping[str, str]


def source(tensors: Tensors, config: Mapping[str, Any] | None = None) -> MemorySource:
    """One shard of tensors such as `"F32[2, 2] = 0.5"`, and a config.json."""
    files = {"model.safetensors": dict(tensors), **({} if config is None else {"config.json": config})}
    return MemorySource(read_example(read(json.dumps(files), "test"), "a test", need_says=False).files)


def view(tensors: Tensors, config: Mapping[str, Any] | None = None) -> View:
    """The checkpoint as checks see it."""
    jobs, _ = jobs_for(source(tensors, config), BOOK, (), "headers")
    return jobs[0].view


def said(rule: str, tensors: Tensors, config: Mapping[str, Any] | None = None) -> str:
    """What a rule says of the checkpoint, or nothing."""
    report = check(source(tensors, config), BOOK, rules_of(BOOK, (rule,)))
    return "; ".join(f.message for f in report.findings)


def places(rule: str, tensors: Tensors, config: Mapping[str, Any] | None = None) -> list[str]:
    """The tensors that a rule objects to."""
    report = check(source(tensors, config), BOOK, rules_of(BOOK, (rule,)))
    return [place.tensor for f in report.findings for place in f.locations]
