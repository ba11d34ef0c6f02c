"""Rule files are read in one pass, to the same nodes that PyYAML composes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tensorlint.rulebook.shipped import shipped_folder
from tensorlint.text.yamlread import read

_FILES = sorted(shipped_folder().rglob("*.yaml"))
_ODD = (
    "a: [~, yes, 017, 1:30, 1e-3, 2001-01-01, =, '', \"x\", .inf, 0x1F]\nb:\nc: {d: }\n"
    "e: |\n  one\n  two\n? [a]\n: 3\nf:\n- - 1\n  - {<<: 2}\n"
)


def _composed(text: str) -> Any:
    """What PyYAML makes of it, in the form of ours."""
    return _plain(yaml.compose(text, yaml.CSafeLoader))


def _plain(node: Any) -> Any:
    tag = node.tag.rpartition(":")[2]
    start, end = node.start_mark, node.end_mark
    value, style = node.value, ""
    if isinstance(node, yaml.ScalarNode):
        style = node.style or ""
    elif isinstance(node, yaml.MappingNode):
        value = tuple((_plain(k), _plain(v)) for k, v in node.value)
    else:
        value = tuple(_plain(v) for v in node.value)
    return tag, value, style, start.line, start.column, end.line, end.column


@pytest.mark.parametrize("path", _FILES[:: max(1, len(_FILES) // 40)], ids=lambda p: p.stem)
def test_shipped_files_are_read_as_pyyaml_reads_them(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert read(text, "rule.yaml").node == _composed(text)


def test_odd_scalars_are_read_as_pyyaml_reads_them() -> None:
    assert read(_ODD, "rule.yaml").node == _composed(_ODD)
