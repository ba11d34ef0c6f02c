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


def test_a_tensor_is_named_by_its_shard_and_its_name() -> None:
    rows = [
        need("x", "uint8", 0, 4, "a", frozenset({"nan"})),
        need("x", "uint8", 8, 9, "b", frozenset({"inf"})),
        need("y", "uint8", 4, 6, "a", frozenset({"zero"})),
    ]
    plan = make_plan(reversed(rows))
    assert plan.by_shard == {"a": (rows[0], rows[2]), "b": (rows[1],)}
    assert (list(plan.needs()), plan.bytes) == ([rows[0], rows[2], rows[1]], 7)


def test_the_first_need_of_a_tensor_says_how_it_is_read() -> None:
    first, second = need("x", "e4m3", 0, 4, words=frozenset({"nan"})), need("x", "int8", 0, 4, words=frozenset({"inf"}))
    (joined,) = make_plan([first, second]).needs()
    assert (joined.encoding.name, joined.tensor, joined.words) == ("e4m3", first.tensor, {"nan", "inf"})
