"""The places in a TOML file agree with what tomllib reads: every value's text, read on its own, is that value."""

from __future__ import annotations

import sys

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tensorlint.text.locate import Node, locate

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BARE = st.sampled_from(["a", "b", "c-d", "e_1", "1979-05-27", "x", "fail-on"])
QUOTED = st.sampled_from(['"a.b"', "'c d'", '"scales/nan"', '"\\u0061"', '""', "'#'", '"]"', '"q\\"r"'])
GAP = st.sampled_from(["", " ", "\t", "  "])
BREAK = st.sampled_from([" ", "\n", " # ] } \" '\n", "\n\n  "])


@st.composite
def keys(draw: st.DrawFn) -> str:
    parts = draw(st.lists(BARE | QUOTED, min_size=1, max_size=3))
    return (draw(GAP) + "." + draw(GAP)).join(parts)


SCALARS = st.sampled_from(
    [
        "1", "-17", "0x1F", "1_000", "0.5", "1e3", "-inf", "nan", "true", "false", "2027-03-01", "07:32:00.5",
        "1979-05-27 07:32:00Z", "1979-05-27T00:32:00-07:00", '""', '"a # b"', '"x\\"]"', "'lit\\eral'", '"é\\n"',
        '"""multi\nline "" quoted \\""""', '""""""', "'''raw\n]\n''two'''", '"""ends with two"""""', "''''a'''",
        '"""\\\n   folded"""',
    ]
)  # fmt: skip


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    @st.composite
    def make(draw: st.DrawFn) -> str:
        rows = draw(st.lists(inner, max_size=3))
        text = "".join(draw(BREAK) + row + draw(BREAK) + "," for row in rows)
        return "[" + (text if draw(st.booleans()) else text.rstrip(",")) + draw(BREAK) + "]"

    return make()


def tables(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    @st.composite
    def make(draw: st.DrawFn) -> str:
        rows = [f"{draw(keys())}{draw(GAP)}={draw(GAP)}{draw(inner)}" for _ in range(draw(st.integers(0, 2)))]
        return "{" + draw(GAP) + ", ".join(rows) + draw(GAP) + "}"

    return make()


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | tables(inner), max_leaves=5)


@st.composite
def documents(draw: st.DrawFn) -> str:
    rows = []
    for _ in range(draw(st.integers(0, 7))):
        kind = draw(st.sampled_from(["pair", "pair", "table", "array", "comment"]))
        if kind == "pair":
            rows.append(f"{draw(GAP)}{draw(keys())}{draw(GAP)}={draw(GAP)}{draw(VALUES)}{draw(GAP)}")
        elif kind == "comment":
            rows.append("# [x] = 'y'")
        else:
            opening, closing = ("[", "]") if kind == "table" else ("[[", "]]")
            rows.append(f"{draw(GAP)}{opening}{draw(GAP)}{draw(keys())}{draw(GAP)}{closing} # c")
    return "\n".join(rows) + draw(st.sampled_from(["", "\n"]))


def same(data: object, node: Node, text: list[str]) -> None:
    """Structures agree, and every scalar's text is at its place and reads as its value."""
    if isinstance(data, dict):
        assert data.keys() == node.table.keys()
        for key, value in data.items():
            below = node.table[key]
            assert below.key is not None
            shown = text[below.key.line][below.key.column : below.key.column + below.key.width]
            bare = shown.strip("[] \t")
            assert key in shown or tomllib.loads(f"x = {bare}")["x"] == key
            same(value, below, text)
    elif isinstance(data, list):
        assert len(data) == len(node.rows)
        for value, below in zip(data, node.rows, strict=True):
            same(value, below, text)
    else:
        assert repr(tomllib.loads(f"x = {node.raw}")["x"]) == repr(data)
        span = node.span
        assert text[span.line][span.column : span.column + span.width] == node.raw.split("\n")[0] or "\n" in node.raw


@given(documents())
@settings(max_examples=400)
def test_places_agree_with_tomllib(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    same(data, locate(text), text.split("\n"))


def test_what_people_write() -> None:
    text = (
        '# ours\nselect = ["scales", # c\n  "index"]\n[[ignore]]\nrule = "a"\n[[ignore]]\n"rule" = \'b\'\n'
        '[params."scales/saturated"]\nlimit=0.5\n[tool.x]\ny.z = 1\n'
    )
    root = locate(text)
    same(tomllib.loads(text), root, text.split("\n"))
    second = root.table["ignore"].rows[1].table["rule"]
    assert (second.span.line, second.span.column, second.span.width) == (6, 9, 3)
    limit = root.table["params"].table["scales/saturated"].table["limit"]
    assert (limit.span.line, limit.span.column, limit.raw) == (8, 6, "0.5")
