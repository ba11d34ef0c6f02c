"""Formats and engines are data: no Python module names one, an exporter's method, or a word that stands for one."""

from __future__ import annotations

import re
from pathlib import Path

import tensorlint
from tensorlint.rulebook.library import load_book

SOURCE = Path(tensorlint.__file__).parent
DOCS = Path(__file__).parent.parent / "docs"
# Words of the field, not names of one format: number formats, kinds of storage, and what is generic about them.
GENERIC = {
    "fp4", "fp8", "e5m3", "int", "int4", "int8", "packed", "kv", "cache", "sparse", "24", "experts", "fused", "unquantized",
    "original", "scaled", "unscaled", "legacy", "fine", "grained", "plain", "tiled", "affine", "fast", "8bit", "fp",
    "quant", "block", "embedding", "tensors", "compressed", "auto", "round", "marker", "transformers",
}  # fmt: skip


def names() -> set[str]:
    """Scheme names, methods, and the words they are made of."""
    book = load_book()
    whole = {*book.schemes, *book.engines} | {d.method for d in book.dialects.values()}
    words = {word for name in whole for word in re.split(r"[-_]", name)}
    return (whole | words) - GENERIC - {"kv-cache", "transformers"}  # a library, too


def test_no_module_names_a_scheme_or_a_method() -> None:
    pattern = re.compile(
        rf"(?<![a-z0-9/])({'|'.join(sorted(map(re.escape, names()), key=len, reverse=True))})(?![a-z0-9])"
    )
    found = []
    for path in (*SOURCE.rglob("*.py"), *DOCS.rglob("*.py")):
        # Docstrings and comments may say where a fact comes from; code may not branch on it.
        # Names of JSON files are where something stands, not what it is.
        code = re.sub(r'""".*?"""|#[^\n]*|"\w+\.json"', "", path.read_text(), flags=re.DOTALL)
        found += [(path.name, hit[1]) for hit in pattern.finditer(code.lower())]
    assert not found


def test_the_words_that_are_looked_for() -> None:
    assert {"nvfp4", "gptq", "awq", "modelopt", "comfy", "torchao", "quark", "mlx", "nf4", "hqq", "lora"} <= names()
