"""Natural mistakes in a configuration: each is an error with file, line, caret and what to write instead; none is silent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tensorlint.errors import RuleFileError, UsageError
from tensorlint.rulebook.library import load_book
from tensorlint.settings.files import Configuration, configuration_from, load
from tensorlint.settings.keys import KEYS
from tensorlint.settings.ruleset import ruleset
from tensorlint.settings.schema import schema
from tensorlint.settings.settings import settings_for
from tensorlint.text.toml import parse_toml

GOOD = {
    "select": 'select = ["scales", "index/*"]',
    "ignore": 'ignore = ["weights", {rule = "scales/nan", tensor = "a.*", reason = "known", until = 2027-03-01}]',
    "severity": '[severity]\n"scales/nan" = "note"',
    "params": '[params."scales/saturated"]\nlimit = 0.05',
    "fail-on": 'fail-on = "warning"',
    "fail-on-coverage": "fail-on-coverage = true",
    "depth": 'depth = "scales"',
    "rules": 'rules = ["."]',
    "baseline": 'baseline = "."',
    "engine": 'engine = "vllm"',
    "device": 'device = "cpu"',
    "jobs": "jobs = 4",
    "extend": "extend = []",
    "target": '[[target]]\npath = "models/*"\ndepth = "headers"',
}
ENTRY = {"rule": '"scales/nan"', "tensor": '"a.*"', "reason": '"known"', "until": "2027-03-01"}
RULES = ["scales/nan", "scales/saturated", "index/missing-shard", "config/*", "weights", "container"]
VALUES = {
    "text": '"surely-not-this"', "number": "3.5", "true": "true", "list of numbers": "[1, 2]", "empty text": '""',
    "table": "{a = 1}", "date": "2027-03-01", "list of lists": '[["a"]]', "list of empty text": '[""]', "whole": "-1",
}  # fmt: skip
RIGHT = {  # key, kind of value that is right after all
    ("fail-on-coverage", "true"), ("engine", "text"), ("device", "text"), ("severity", "empty"),
}  # fmt: skip


def slips(word: str) -> Iterator[str]:
    """What fingers make of a word: a letter lost, doubled, swapped or replaced, another case, another dash."""
    for i in (0, len(word) // 2, len(word) - 1):
        yield word[:i] + word[i + 1 :]
        yield word[:i] + word[i] + word[i:]
        if i + 1 < len(word) and word[i] != word[i + 1]:
            yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    yield word[:-1] + ("x" if word[-1] != "x" else "y")
    yield word.capitalize()
    if "-" in word:
        yield word.replace("-", "_")
        yield word.replace("-", "")
    if "/" in word:
        yield word.replace("/", ".")
        yield word.replace("/", "-")


def mistakes() -> Iterator[tuple[str, str]]:
    """(what it is, the text)."""
    for key, text in GOOD.items():
        for slip in dict.fromkeys(slips(key)):
            if slip and slip not in GOOD:
                yield f"key {key} as {slip}", re.sub(rf"(^|[\[\n]){key}\b", rf"\g<1>{slip}", text, count=1)
    for key in GOOD:
        for kind, value in VALUES.items():
            if (key, kind) not in RIGHT:
                yield f"{key} = {kind}", f"{key} = {value}"
    for key in ENTRY:
        for slip in dict.fromkeys(slips(key)):
            if slip and slip not in ENTRY:
                rows = [f"{slip if k == key else k} = {v}" for k, v in ENTRY.items()]
                yield f"ignore entry {key} as {slip}", "[[ignore]]\n" + "\n".join(rows)
        for kind, value in VALUES.items():
            if (key, kind) in {("reason", "text"), ("tensor", "text"), ("until", "date")}:
                continue
            rows = [f"{k} = {value if k == key else v}" for k, v in ENTRY.items()]
            yield f"ignore entry {key} = {kind}", "[[ignore]]\n" + "\n".join(rows)
    for key in ("rule", "reason"):
        rows = [f"{k} = {v}" for k, v in ENTRY.items() if k != key]
        yield f"ignore entry without {key}", "[[ignore]]\n" + "\n".join(rows)
    for rule in RULES:
        for slip in dict.fromkeys(slips(rule)):
            if load_book().matching(slip):
                continue
            yield f"select {slip}", f'select = ["{slip}"]'
            yield f"ignore {slip}", f'depth = "full"\nignore = ["scales/nan", "{slip}"]'
            yield f"[[ignore]] {slip}", f'[[ignore]]\nrule = "{slip}"\nreason = "x"'
            yield f"[severity] {slip}", f'[severity]\n"{slip}" = "note"'
            yield f"[params] {slip}", f'[params."{slip}"]\nlimit = 1'
            yield f"[[target]] {slip}", f'[[target]]\npath = "a"\nselect = ["{slip}"]'
    for word in ("error", "warning", "note", "off"):
        for slip in slips(word):
            if slip not in ("error", "warning", "note", "off"):
                yield f"severity {slip}", f'[severity]\n"scales/nan" = "{slip}"'
    for word in ("limit", "least", "many"):
        for slip in slips(word):
            if slip not in ("limit", "least", "many"):
                yield f"param {slip}", f'[params."scales/saturated"]\n"{slip}" = 1'


WRITTEN = [  # as tired people write it; words that must be said
    ("depth: full", "joined by `=`"),
    ("depth = full", "in quotes"),
    ("fail-on-coverage = True", "true or false"),
    ("fail-on-coverage = yes", "true or false"),
    ('fail-on-coverage = "true"', "without quotes"),
    ("baseline = null", "leave the key out"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = 'x'\nuntil = 2027-3-1", "a date is written 2027-03-01"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = 'x'\nuntil = 01.03.2027", "a date is written 2027-03-01"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = 'x'\nuntil = 2027/03/01", "a date is written 2027-03-01"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = 'x'\nuntil = '2027-03-01'", "without quotes: 2027-03-01"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = 'x'\nuntil = 2027-03-01T00:00:00", "write 2027-03-01"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = 'x'\nuntil = 2027", "must be a date"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = 'x'\nuntil = 2027-02-30", "2027-03-01"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = '  '", "must not be empty"),
    ("[[ignore]]\nrule = '^scales/.*$'\nreason = 'x'", "is not a glob"),
    ("[[ignore]]\nrule = 'scales/nan'\ntensor = 'layers\\.0'\nreason = 'x'", "is not a glob"),
    ("[[ignore]]\nrule = 'scales/nan'\ntensor = 'layers.[0'\nreason = 'x'", "never closed"),
    ("[[ignore]]\nrule = 'scales/nan'\ntensor = 'layers.{0,1}.*'\nreason = 'x'", "is not a glob"),
    ("[[ignore]]\nrules = ['scales/nan']\nreason = 'x'", "did you mean `rule`"),
    ("[[ignore]]\nrule = ['scales/nan']\nreason = 'x'", "must be text, not a list"),
    ("[[ignore]]\nrule = 'nan'\nreason = 'x'", "`scales/nan`"),
    ("[ignore]\nrule = 'scales/nan'\nreason = 'x'", "write [[ignore]]"),
    ("[target]\npath = 'x'\ndepth = 'full'", "write [[target]]"),
    ("[[severity]]\n'scales/nan' = 'note'", "must be a table"),
    ("[severity]\nscales/nan = 'note'", "in quotes"),
    ("[severity.scales]\nnan = 'note'", '"scales/nan"'),
    ("[severity]\n'scales/nan' = 'off'\nfail-on = 'warning'", "above the first [table]"),
    ("[[ignore]]\nrule = 'scales/nan'\nreason = 'x'\ndepth = 'full'", "above the first [table]"),
    ("[severity]\n'scales/nan' = false", "one of: error, note, off, warning"),
    ("[severity]\n'scales/nan' = 'ignore'", "did you mean `off`"),
    ("[params.scales/saturated]\nlimit = 0.1", 'params."scales/saturated"'),
    ("[params.scales.saturated]\nlimit = 0.1", '[params."scales/saturated"]'),
    ("[params]\n'scales/saturated' = 0.1", '[params."scales/saturated"]'),
    ("[params]\n'scales/saturated.limit' = 0.1", "must be a table"),
    ('[params."scales/saturated"]\nlimit = "0.1"', "leave the quotes out"),
    ('[params."scales/saturated"]\nlimit = 5', "5 % is 0.05"),
    ('[params."scales/saturated"]\nlimit = 5%', "1 % is 0.01"),
    ('[params."scales/saturated"]\nlimit = .5', "both sides"),
    ('[params."scales/saturated"]\nlimit = 1,5', "="),
    ('[params."scales/saturated"]\nlimit = nan', "finite"),
    ('[params."scales/nan"]\nlimit = 1', "no param"),
    ('[params."scales/saturated"]\nthreshold = 0.1', "limit"),
    ('[params."scales/*"]\nlimit = 0.1', "there is no rule"),
    ("'scales/nan' = 'note'", "[severity]"),
    ('[scales/nan]\nseverity = "note"', "in quotes"),
    ("[tool.tensorlint]\ndepth = 'full'", "pyproject.toml"),
    ("ignore = ['scales/nan']\n[[ignore]]\nrule = 'weights'\nreason = 'x'", "in one place"),
    ("ignore = [{rule = 'weights'}]", "has no `reason`"),
    ("select = []", "at least one"),
    ("select = ['a' 'b']", "separated by commas"),
    ("select = ['scales'", "never closed"),
    ("depth = 'full'\ndepth = 'scales'", "given twice"),
    ("[severity]\n[severity]", "once"),
    ("depth = 'full", "never closed"),
    ("depth", "key = value"),
    ("= 'full'", "not TOML"),
    ("jobs = 0", "from 1"),
    ("jobs = 2.5", "whole number"),
    ("jobs = 'auto'", "must be a number"),
    ("depth = 'fast'", "one of: full, headers, scales"),
    ("fail-on = 'none'", "did you mean `note`"),
    ("fail-on = 'critical'", "one of"),
    ("rules = ['no/such/folder']", "relative to the folder of this file"),
    ("baseline = 'no-such.json'", "there is nothing at"),
    ("extend = 'https://example.org/base.toml'", "is no path"),
    ("extend = 'no-such.toml'", "there is nothing at"),
    ("[[target]]\npath = 'a'", "says nothing"),
    ("[[target]]\ndepth = 'full'", "has no `path`"),
    ("[[target]]\npath = '/abs'\ndepth = 'full'", "relative"),
    ("[[target]]\npath = []\ndepth = 'full'", "at least one"),
    ("[[target]]\npath = 'a'\nextend = 'b'", "unknown key `extend`"),
    ("disable = ['scales/nan']", "did you mean `ignore`"),
    ("extends = 'base.toml'", "did you mean `extend`"),
    ("extend-select = ['scales']", "did you mean"),
    ("x = " + "[" * 40 + "]" * 40, "nested deeper"),
    ("x = 1\x01", "not TOML"),
    ("reason = \"a \\q\"", "backslash"),
]  # fmt: skip
GENERATED = list(dict.fromkeys(mistakes()))


def read(text: str) -> Configuration:
    """As the command does: read, and check the names against the rules."""
    configuration = configuration_from(parse_toml(text.encode(), "my.toml"), "/")
    ruleset(settings_for("/", configuration), configuration)
    return configuration


def test_what_the_mistakes_are_made_of_is_sound() -> None:
    book = schema(load_book())
    for key, text in GOOD.items():
        if key not in ("rules", "baseline"):
            read(text)
        jsonschema.validate(parse_toml(text.encode(), "x").data, book)
    assert set(GOOD) == {*KEYS, "extend", "target"}


def test_there_are_enough() -> None:
    assert len(GENERATED) > 500


@pytest.mark.parametrize("text", [t for _, t in GENERATED], ids=[n for n, _ in GENERATED])
def test_generated(text: str) -> None:
    with pytest.raises(RuleFileError) as caught:
        read(text)
    said(caught.value, text)


@pytest.mark.parametrize(("text", "words"), WRITTEN, ids=[t.replace("\n", "; ")[:60] for t, _ in WRITTEN])
def test_written(text: str, words: str) -> None:
    with pytest.raises(RuleFileError) as caught:
        read(text)
    said(caught.value, text)
    assert words in str(caught.value)


def said(error: RuleFileError, text: str) -> None:
    rows = str(error).split("\n")
    place = re.search(r"--> my\.toml:(\d+):(\d+)", rows[1])
    assert place, rows
    line, column = int(place[1]), int(place[2])
    assert 1 <= line <= text.count("\n") + 1
    caret = rows[4]
    assert caret.index("^") - caret.index("|") - 2 == column - 1 or len(text) > 160
    assert "= help: " in rows[-1] or "must" in rows[0], rows
    assert error.exit_code == 2


def test_a_schema_sees_most_of_what_is_no_mistake_in_toml_itself() -> None:
    checker = jsonschema.Draft7Validator(schema(load_book()))
    seen = total = 0
    for name, text in GENERATED:
        try:
            data = parse_toml(text.encode(), "x").data
        except UsageError:
            continue
        if any(
            word in name for word in ("select ", "ignore ", "[[ignore]] ", "[severity] ", "[[target]] ", "[params] ")
        ):
            continue  # names of rules may be the user's own
        total += 1
        seen += not checker.is_valid(data)
    assert total > 200
    assert seen / total > 0.85, (seen, total)


def test_what_is_no_text_at_all(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(b"depth = '\xff'")
    with pytest.raises(RuleFileError, match=r"my\.toml:1:10"):
        load(path)
    path.write_bytes(b"#" * 200_000)
    with pytest.raises(RuleFileError, match="more than 131,072 bytes"):
        load(path)
    with pytest.raises(UsageError, match="not a file"):
        load(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.toml")
