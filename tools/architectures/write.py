"""An architecture as YAML: one line for each pattern, in the order of the modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from .generate import Architecture, Layout, Text, left_out, renamed, tie_names


def scalar(value: Any) -> str:
    """A value of YAML on one line."""
    return (
        yaml.safe_dump(value, width=10**9, default_flow_style=True, allow_unicode=True)
        .removesuffix("\n")
        .removesuffix("\n...")
    )


def text_of(found: Architecture, version: str) -> str:
    """The whole file."""
    return "\n".join(_lines(found, version)) + "\n"


def _lines(found: Architecture, version: str) -> Iterator[str]:
    yield f"# Written by tools/architectures from transformers {version}: change the generator, not this file."
    yield f"type: {scalar(found.type)}"
    yield f"config: {found.config}"
    if found.aliases:
        yield "aliases:"
        yield from (f"  {scalar(k)}: {scalar(v)}" for k, v in found.aliases.items())
    values = {k: v for k, v in found.defaults.items() if not isinstance(v, Text)}
    if values:
        yield "defaults:"
        yield from (f"  {scalar(k)}: {scalar(v)}" for k, v in values.items())
    derived = {k: v for k, v in found.defaults.items() if isinstance(v, Text)}
    if derived:
        yield "derived:"
        yield from (f"  {scalar(k)}: {scalar(str(v))}" for k, v in derived.items())
    used = {i for x in found.layouts for name in x.lines for i in found.indices if f"{{{i}}}" in name}
    if used:
        yield "indices:"
        yield from (f"  {k}: {scalar(v)}" for k, v in found.indices.items() if k in used)
    yield "layouts:"
    for layout in found.layouts:
        yield from _layout(layout)


def _layout(layout: Layout) -> Iterator[str]:
    yield f"  {layout.name}:"
    yield f"    classes: [{', '.join(layout.classes)}]"
    yield f"    written: [{', '.join(layout.written)}]"
    if layout.assumes:
        yield "    assumes:"
        by_prefix: dict[str, list[str]] = {}
        for text in layout.assumes:
            prefix, _, condition = text.rpartition(": ")
            by_prefix.setdefault(prefix, []).append(condition)
        yield from (f"      {scalar(p)}: {scalar(' and '.join(c))}" for p, c in by_prefix.items())
    lines, ties, ignored = layout.lines, layout.ties, list(layout.ignored)
    inherited_ties: list[str] = []
    inherited_ignored: list[str] = []
    if layout.like:
        other: Layout = layout.inherits  # type: ignore[attr-defined]
        lines = layout.own  # type: ignore[attr-defined]
        yield f"    like: {layout.like}"
        if layout.rename:
            yield "    rename:"
            yield from (f"      {scalar(k)}: {scalar(v)}" for k, v in layout.rename.items())
        if layout.without:
            yield "    without:"
            yield from (f"      - {scalar(name)}" for name in layout.without)
        for tie in other.ties:
            condition = tie.partition(" if ")[2]
            names = [renamed(n, layout.rename) for n in tie_names(tie) if not left_out(n, layout.without)]
            if len(names) > 1:
                inherited_ties.append(" = ".join(names) + (f" if {condition}" if condition else ""))
        inherited_ignored = list(other.ignored)
    if lines:
        yield "    tensors:"
        yield from (f"      {scalar(name)}: {scalar(str(line))}" for name, line in lines.items())
    if ties != inherited_ties:
        yield "    ties:" if ties else "    ties: []"
        yield from (f"      - {scalar(tie)}" for tie in ties)
    if ignored != inherited_ignored:
        yield "    ignored:" if ignored else "    ignored: []"
        yield from (f"      - {scalar(x)}" for x in ignored)
