"""Names: patterns of siblings, and short patterns that cover many names."""

from __future__ import annotations

import pytest

from tensorlint.names import pattern_of, short


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("model.layers.4.mlp.experts.17.w1", "model.layers.*.mlp.experts.*.w1"),
        ("h.0.attn", "h.*.attn"),
        ("layer10.w2.x", "layer10.w2.x"),
        ("12", "*"),
        ("conv2d.1", "conv2d.*"),
    ],
)
def test_numbers_become_stars_only_as_whole_components(name: str, pattern: str) -> None:
    assert pattern_of(name) == pattern


@pytest.mark.parametrize(
    ("names", "patterns"),
    [
        (["a.b"], ["a.b"]),
        (["l.0.w", "l.1.w"], ["l.{0,1}.w"]),
        (["l.0.w", "l.1.w", "l.2.w"], ["l.{0..2}.w"]),
        (["l.0.w", "l.5.w", "l.6.w", "l.7.w"], ["l.{0,5..7}.w"]),
        (["l.0.q.w", "l.1.q.w", "l.0.k.w", "l.1.k.w"], ["l.{0,1}.{q,k}.w"]),
        (["l.0.e.0.w", "l.0.e.1.w", "l.1.e.0.w"], ["l.{0,1}.e.{0,1}.w"]),
        ([f"l.{i}.w" for i in range(0, 40, 2)], ["l.{0..38}.w"]),
        (["a.x", "b.y"], ["a.x", "b.y"]),
    ],
)
def test_many_names_become_short_patterns(names: list[str], patterns: list[str]) -> None:
    assert short(names) == patterns
