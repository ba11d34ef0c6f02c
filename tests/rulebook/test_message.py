"""Texts of rules: fields with their values, and readable words where there is none."""

from __future__ import annotations

import pytest

from tensorlint.rulebook.message import Template

VALUES = {"key": "hidden_size", "bytes": 1_200_000, "share": 0.25, "byte": 127, "empty": "", "absent": None, "zero": 0}


@pytest.mark.parametrize(
    ("source", "filled", "general"),
    [
        ("set {key} to 0", "set hidden_size to 0", "set [key] to 0"),
        ("set {key|the key} to 0", "set hidden_size to 0", "set the key to 0"),
        ("{bytes:bytes|many bytes} lost", "1.2 MB lost", "many bytes lost"),
        ("{share:%} of {bytes:g}", "25 % of 1200000", "[share] of [bytes]"),
        ("byte {byte:x|0x7f}", "byte 0x7f", "byte 0x7f"),
        ("near {empty|none}", "near none", "near none"),
        ("near {absent|none}", "near none", "near none"),
        ("near {absent}", "near nothing", "near [absent]"),
        ("{zero|none} left", "0 left", "none left"),
        ('dtype {empty|""}', 'dtype ""', 'dtype ""'),
        ('such as {"format": "pt"}', 'such as {"format": "pt"}', 'such as {"format": "pt"}'),
        ("", "", ""),
    ],
)
def test_a_text_with_a_finding_and_without_one(source: str, filled: str, general: str) -> None:
    template = Template(source)
    assert template.filled(VALUES.get) == filled
    assert str(template) == general
    assert bool(template) == bool(source)


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("{key|the key} and {share:%|a part}", ("key", "share")),
        ("{declared.bits|some} bits", ("declared.bits",)),
        ('{"format": "pt"} and {key}', ("key",)),
        ("{key|}", ("{key|}",)),
        ("{key|  }", ("{key|  }",)),
        ("{key|a|b}", ("{key|a|b}",)),
        ("{key:d|a}", ("{key:d|a}",)),
        ("{|a}", ("{|a}",)),
        ("{key", ("{",)),
    ],
)
def test_the_fields_of_a_text_and_what_cannot_be_read_as_one(source: str, fields: tuple[str, ...]) -> None:
    assert Template(source).fields == fields
