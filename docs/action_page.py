"""The page of the GitHub Action, from action.yml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from marks import NOTE, cell

from tensorlint import __version__

_ACTION = Path(__file__).resolve().parent.parent / "action.yml"
_CODES = """\
When the step fails, findings are annotations, and all of them are in the summary of the job. Where the check
could not be made or not finished (exit codes 2, 3 and 4 of `tensorlint check`), the output `verdict` is `error` and one
annotation says what to change.
"""


def action_pages() -> Iterator[tuple[str, str]]:
    """Relative path and text."""
    action = yaml.safe_load(_ACTION.read_text())
    rows = ["# The GitHub Action", "", action["description"], "", "```yaml"]
    rows += [f"- uses: tensorlint/tensorlint@v{__version__}", "  with:", "    path: model", "```", ""]
    rows += ["| input | meaning |", "|---|---|"]
    rows += [f"| `{name}` | {cell(about['description'])} |" for name, about in action["inputs"].items()]
    rows += ["", "| output | meaning |", "|---|---|"]
    rows += [f"| `{name}` | {cell(about['description'])} |" for name, about in action["outputs"].items()]
    yield "action.md", NOTE + "\n".join([*rows, "", _CODES, "[Whole workflows](../examples/README.md)"]) + "\n"
