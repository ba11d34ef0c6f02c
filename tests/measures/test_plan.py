"""The plan reads each tensor once, in file order, for everybody."""

from __future__ import annotations

from test_scan import need

from tensorlint.measures.plan import make_plan


def test_words_of_all_needs_are_joined() -> None:
    rows = [
        need("x", "uint8", 50, 60, words=frozenset({"nan"})),
        need("y", "uint8", 0, 50, words=frozenset({"zero"})),
        need("x", "uint8", 50, 60, words=frozenset({"inf"})),
    ]
    plan = make_plan(rows)
    assert [(n.tensor.name, sorted(n.words)) for n in plan.needs()] == [("y", ["zero"]), ("x", ["inf", "nan"])]
    assert plan.bytes == 60


def test_shards_in_name_order() -> None:
    plan = make_plan([need("x", "uint8", 0, 1, "b"), need("x", "uint8", 0, 1, "a")])
    assert list(plan.by_shard) == ["a", "b"]
    assert make_plan([]).bytes == 0
