"""Shared by the tests of measuring on torch devices; `same` compares all that measures say."""

from __future__ import annotations

from dataclasses import fields

from tensorlint.measures.interface import Measures


def same(mine: Measures, theirs: Measures) -> None:
    """Assert that two measures are equal in every field, NaN being equal to NaN."""
    for field in fields(Measures):
        a, b = getattr(mine, field.name), getattr(theirs, field.name)
        assert a == b or repr(a) == repr(b), (field.name, a, b)
