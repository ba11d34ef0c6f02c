"""Formats and engines are data: no Python module of the linter names a scheme, an exporter's method or an engine."""

from __future__ import annotations

import re
from pathlib import Path

import tensorlint
from tensorlint.rulebook.library import load_book

SOURCE = Path(tensorlint.__file__).parent


def test_no_module_names_a_scheme_a_method_or_an_engine() -> None:
    book = load_book()
    generic = {"unquantized", "fp8", "kv-cache"}  # words of the field, not names of one format
    names = ({*book.schemes} | {d.method for d in book.dialects.values()} | {*book.engines}) - generic
    found = []
    for path in SOURCE.rglob("*.py"):
        # Docstrings and comments may say where a fact comes from; code may not branch on it.
        code = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(), flags=re.DOTALL)
        found += [(path.name, name) for name in names if re.search(rf"(?<![\w/-]){re.escape(name)}(?![\w-])", code)]
    assert not found
