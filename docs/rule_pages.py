"""A page for every rule, from its file: what the rule says, and the examples as they are written there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from marks import NOTE, cell, source

from tensorlint.rulebook.library import Book
from tensorlint.rulebook.model import Rule
from tensorlint.rulebook.shipped import shipped_folder
from tensorlint.rulebook.vocabulary import ABOUT

_SEVERITIES = {
    "error": "a runtime that serves this crashes, refuses it or computes garbage, or the file contradicts itself",
    "warning": "probably not what was meant, or harmful to accuracy or on some engines",
    "note": "legal, and worth knowing",
}
_READS = {"headers": "the JSON headers", "bytes": "tensor bytes"}


def rule_pages(book: Book) -> Iterator[tuple[str, str]]:
    """Relative path and text: the list of rules, one of every group, and one of every rule."""
    yield "rules/README.md", NOTE + _index(book)
    for folder, rules in _groups(book):
        yield (
            f"rules/{folder}/README.md",
            NOTE + f"# {folder}\n\n" + _table(rules, "") + "\n[All rules](../README.md)\n",
        )
        for rule in rules:
            yield f"rules/{rule.id}.md", NOTE + _page(rule)


def _groups(book: Book) -> list[tuple[str, list[Rule]]]:
    """Rules by folder, without those about an engine, which are on its page."""
    rules = [r for r in book.rules.values() if not r.engine]
    groups = [(folder, [r for r in rules if r.id.startswith(folder + "/")]) for folder in book.folders]
    return [(folder, group) for folder, group in groups if group]


def _index(book: Book) -> str:
    groups = _groups(book)
    count = sum(len(rules) for _, rules in groups)
    said = f"{count} rules, and those about an [engine](../engines/README.md). `tensorlint explain RULE` prints a page."
    rows = ["# Rules", "", said, ""]
    rows += [f"- **{name}**: {text}" for name, text in _SEVERITIES.items()]
    for folder, rules in groups:
        rows += ["", f"## [{folder}]({folder}/README.md)", "", _table(rules, f"{folder}/").rstrip()]
    return "\n".join(rows) + "\n"


def _table(rules: list[Rule], prefix: str) -> str:
    rows = ["| rule | severity | reads | what |", "|---|---|---|---|"]
    for r in rules:
        name = r.id.partition("/")[2]
        rows.append(f"| [{r.id}]({prefix}{name}.md) | {r.severity} | {r.depth} | {cell(r.summary)} |")
    return "\n".join(rows) + "\n"


def _page(rule: Rule) -> str:
    rows = [f"# {rule.id}", "", rule.summary, "", f"**{rule.severity}** · reads {_READS[rule.depth]}"]
    rows[-1] += f" · since {rule.since}" if rule.since else ""
    rows[-1] += f" · called {', '.join(f'`{name}`' for name in rule.was)} earlier" if rule.was else ""
    for title, text in (("Effect", str(rule.effect)), ("What to do", str(rule.remedy)), ("Why", rule.why)):
        if text:
            rows += ["", f"## {title}", "", text.strip()]
    if rule.unless:
        rows += [
            "",
            "## Said only where its cause is not",
            "",
            "These say why it is so, and then it is not said again:",
            "",
        ]
        rows += [f"- {', '.join(f'`{r}`' for r in rules)} about {ABOUT[near]}" for near, rules in rule.unless.items()]
    if rule.params:
        rows += ["", "## Parameters", "", "| name | default |", "|---|---|"]
        rows += [f"| `{name}` | {value:g} |" for name, value in rule.params.items()]
    bad, good = _examples(rule.id)
    said = "\n".join(dict.fromkeys(f"{rule.severity}: {example.says}" for example in rule.bad))
    rows += ["", "## Examples", "", "Bad:", "", "```yaml", bad, "```", "", "What is said:", "", "```", said, "```"]
    rows += ["", "Good:", "", "```yaml", good, "```"]
    rows += ["", "## Ignore it", "", "In `tensorlint.toml`; `--ignore` leaves the rule out of one run.", ""]
    rows += ["```toml", "[[ignore]]", f'rule = "{rule.id}"', 'tensor = "model.layers.0.*"', 'reason = "..."', "```"]
    if rule.see:
        rows += ["", "## Sources", "", *(f"- {source(s)}" for s in rule.see)]
    group, _, name = rule.id.partition("/")
    address = f"../../../rules/{group}/{name}.yaml"
    return "\n".join([*rows, "", f"[Rule file]({address}) · [other rules about {group}](README.md)"]) + "\n"


def _examples(rule: str) -> tuple[str, str]:
    """The `bad` and `good` blocks of the rule's file, as they are written there."""
    text = (shipped_folder() / f"{rule}.yaml").read_text()
    blocks = []
    for key in ("bad", "good"):
        found = re.search(rf"^{key}:[^\n]*\n((?:[ \t#-][^\n]*\n|\n)+)", text, re.MULTILINE)
        assert found is not None, f"{rule} has no `{key}`"
        blocks.append(found.group(1).strip("\n"))
    return blocks[0], blocks[1]
