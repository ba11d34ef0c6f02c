"""Symbolic shapes are read, solved and contradicted exactly."""

from __future__ import annotations

import pytest

from tensorlint.schemes.shapes import ShapeError, dim, fits, show, solve


def shape(*dims: str) -> tuple:  # type: ignore[type-arg]
    return tuple(dim(d) for d in dims)


@pytest.mark.parametrize(
    ("text", "env", "value"),
    [
        ("N", {"N": 7}, 7),
        ("K/16", {"K": 256}, 16),
        ("K/16", {"K": 250}, None),
        ("ceil(N/128)", {"N": 129}, 2),
        ("ceil(N/R)", {"N": 160, "R": 128}, 2),
        ("ceil(K*b/32)", {"K": 100, "b": 3}, 10),
        ("3*K/4", {"K": 8}, 6),
        ("2*N+1", {"N": 3}, 7),
        ("N-4", {"N": 3}, None),
        ("K/g", {"K": 8, "g": 0}, None),
        ("16", {}, 16),
    ],
)
def test_a_dimension_has_its_value(text: str, env: dict[str, int], value: int | None) -> None:
    assert dim(text).value(env) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "N**2",
        "f(N)",
        "ceil(N, 2)",
        "ceil",
        "N.x",
        "'a'",
        "1.5",
        "-1",
        "N if N else 1",
        "a" * 90,
        "N//2",
        "__import__('os')",
    ],
)
def test_what_is_no_dimension_is_refused(text: str) -> None:
    if text == "ceil":
        assert dim(text).symbols == frozenset()
        return
    with pytest.raises(ShapeError):
        dim(text)


@pytest.mark.parametrize(
    ("dims", "sizes", "before", "after"),
    [
        (("N", "K/2"), (8, 64), {}, {"N": 8, "K": 128}),
        (("N", "K/g"), (8, 8), {"N": 8, "K": 128}, {"N": 8, "K": 128, "g": 16}),
        (("ceil(K*b/32)", "N"), (16, 8), {"b": 4}, {"b": 4, "K": 128, "N": 8}),
        (("N", "N"), (3, 3), {}, {"N": 3}),
        (("N+3", "K-3"), (8, 8), {}, {"N": 5, "K": 11}),
        (("3+N", "30-K"), (8, 8), {}, {"N": 5, "K": 22}),
        ((), (), {"N": 1}, {"N": 1}),
    ],
)
def test_unknown_symbols_are_solved(
    dims: tuple[str, ...], sizes: tuple[int, ...], before: dict[str, int], after: dict[str, int]
) -> None:
    env = dict(before)
    assert fits(shape(*dims), sizes, env)
    assert env == after


@pytest.mark.parametrize(
    ("dims", "sizes", "env"),
    [
        (("N", "K/16"), (8, 9), {"N": 8, "K": 128}),
        (("N", "N"), (3, 4), {}),
        (("N",), (3, 4), {}),
        (("3*K/4",), (64 + 1,), {}),
        (("N/2",), (1,), {"N": 3}),
    ],
)
def test_a_contradiction_changes_nothing(dims: tuple[str, ...], sizes: tuple[int, ...], env: dict[str, int]) -> None:
    before = dict(env)
    assert not fits(shape(*dims), sizes, env)
    assert env == before


def test_the_preferred_value_of_a_free_symbol_wins_where_several_fit() -> None:
    parts = {"weight": (shape("N", "K"),), "scale": (shape("ceil(N/R)", "ceil(K/R)"),)}
    sizes = {"weight": (128, 256), "scale": (1, 2)}
    assert solve(parts, sizes, {"R": (128, 200)}, {}).env["R"] == 128
    assert solve(parts, sizes, {"R": (200, 128)}, {}).env["R"] == 200


def test_a_part_that_fits_no_value_is_the_misfit_and_the_others_are_solved() -> None:
    parts = {"weight": (shape("N", "K/2"),), "scale": (shape("N", "K/g"),), "bias": (shape("N"),)}
    found = solve(parts, {"weight": (8, 64), "scale": (4, 3), "bias": (8,)}, {"g": (16, 32)}, {})
    assert found.misfits == ("scale",)
    assert found.env == {"N": 8, "K": 128}
    assert found.tried["g"] == 16


def test_an_expert_dimension_the_weight_does_not_have_is_not_free() -> None:
    parts = {"weight": (shape("N", "K"), shape("E", "N", "K")), "scale": (shape(), shape("E"))}
    assert solve(parts, {"weight": (8, 4), "scale": (5,)}, {}, {}).misfits == ("scale",)
    assert solve(parts, {"weight": (5, 8, 4), "scale": (5,)}, {}, {}).misfits == ()


def test_a_shape_is_shown_with_what_is_known() -> None:
    assert show(shape("N", "K/g"), {"N": 8}) == "[8, K/g]"
    assert show(shape()) == "[]"
