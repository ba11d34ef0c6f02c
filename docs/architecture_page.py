"""The page that lists which architectures are known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tensorlint.rulebook.shipped import ARCHITECTURES, shipped_folder

_VERSION = re.compile(r"^# Written by .* from transformers ([\w.]+)")
_CLASSES = re.compile(r"^    classes: \[(.*)\]$", re.MULTILINE)
_LINE = re.compile(r"^      .*?: \w[\w ]*\[.*$", re.MULTILINE)
# A size that any number may be, or a tensor that may be there or not: what a file leaves open.
_OPEN = re.compile(r"[\[ ](_|\?\w+)[],]|\] maybe")


def architecture_page() -> str:
    """Model types, with the classes of each and how much of it is known. Files are read as text: there are hundreds."""
    rows = list(_rows(sorted((shipped_folder() / ARCHITECTURES).glob("*.yaml"))))
    head = [
        "# Architectures",
        "",
        f"What a checkpoint holds is known of {len(rows)} model types: the names of its tensors, when each is there,",
        "and their sizes as expressions over config.json. The files are generated from transformers by",
        "`tools/architectures`; [their format](../rules/architectures/README.md). A pattern is one name with the",
        "numbers of layers and experts left open; `open` counts the patterns of which a size, or whether they are",
        "there, is not known for certain.",
        "",
        "| model type | classes | patterns | open | transformers |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _rows(files: list[Path]) -> Iterator[str]:
    for path in files:
        text = path.read_text()
        classes = dict.fromkeys(name for names in _CLASSES.findall(text) for name in names.split(", "))
        lines = _LINE.findall(text)
        version = _VERSION.match(text)
        unsure = sum(bool(_OPEN.search(line)) for line in lines)
        yield (
            f"| [{path.stem}](../rules/architectures/{path.name}) | {', '.join(classes)} | {len(lines)} "
            f"| {unsure or ''} | {version[1] if version else ''} |"
        )
