"""Formats, engines and models are data: no Python module names one, a module of one, or a key of an exporter's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import tensorlint
from tensorlint.rulebook.library import load_book
from tensorlint.schemes import families, spelling
from tensorlint.schemes.model import PART_KINDS

SOURCE = Path(tensorlint.__file__).parent
DOCS = Path(__file__).parent.parent / "docs"
# Words of the field, not names of one format: number formats, kinds of storage, and what is generic about them.
GENERIC = {
    "fp4", "fp8", "e5m3", "int", "int4", "int8", "packed", "kv", "cache", "sparse", "24", "experts", "fused", "unquantized",
    "original", "scaled", "unscaled", "legacy", "fine", "grained", "plain", "tiled", "affine", "fast", "8bit", "fp",
    "quant", "block", "dense", "embedding", "tensors", "compressed", "auto", "round", "marker", "transformers",
}  # fmt: skip
# English and the field's words that are also components of names, or keys; what tensorlint itself means by them.
ORDINARY = {
    "blocks", "dtype", "dynamic", "exclude", "gate", "h", "image", "key", "model", "module", "output", "quantization", "self", "small",
    "value", "version", "weights",
}  # fmt: skip
# transformers' own key and place of a declaration, whoever writes it: by them a method is found that no dialect knows.
ALLOWED = {("declared.py", "quantization_config"), ("declared.py", "quant_method")}


def names() -> set[str]:
    """Scheme names, methods, and the words they are made of."""
    book = load_book()
    whole = {*book.schemes, *book.engines} | {d.method for d in book.dialects.values()}
    words = {word for name in whole for word in re.split(r"[-_]", name)}
    return (whole | words) - GENERIC - {"kv-cache", "transformers"}  # a library, too


def modules() -> set[str]:
    """Components of module names, and keys of config.json, that families know."""
    found: set[str] = set()
    for family in load_book().families.values():
        for group in (
            *(g for groups in family.fused.values() for g in groups),
            *(tuple(row) for rows in family.wires.values() for row in rows),
        ):
            found.update(group)
        tables = {**family.tables, "names": {**family.tables.get("names", {}), "quantized": ()}}  # words, not names
        for entries in (*family.lists.values(), *(v for table in tables.values() for v in table.values())):
            found.update(word for entry in entries for word in re.findall(r"[A-Za-z_]\w*", entry))
        found.update(word for glob in (*family.rows, *family.wrappers) for word in re.findall(r"[A-Za-z_]\w*", glob))
    return found - own() - ORDINARY


def keys() -> set[str]:
    """Keys of configuration files, and values of them, that dialects know."""
    found: set[str] = set()
    for dialect in load_book().dialects.values():
        for spelt in (dialect.fields, dialect.group, dialect.module):
            found.update(key for paths in spelt.values() for path in paths for key in path.split("."))
        found.update((*dialect.marks, *dialect.unfinished, *dialect.mixed))
        for place in dialect.places:
            found.update((*place.at, *place.when, *place.unless))
    return found - own() - ORDINARY


@cache
def own() -> frozenset[str]:
    """Words that tensorlint itself defines: roles, counts, normalized fields, parts, and keys of rule files."""
    tables = {key for table in families.TABLES.values() for key in table}
    spelt = {*spelling.FIELDS, *spelling.GROUP, *spelling.MODULE}
    return frozenset({*families.KEYS, *families.MEANING, *tables, *spelt, *PART_KINDS})


def texts(path: Path) -> Iterator[str]:
    """String constants of a module: no docstrings, no names of files, and no advice, which shows what to write."""
    tree = ast.parse(path.read_text())
    scopes = [n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docs = {id(s.body[0].value) for s in scopes if s.body and isinstance(s.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield re.sub(r"\b[\w.-]+\.json\b", "", node.value.partition("such as ")[0])


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


def test_no_module_names_a_module_of_a_family_or_a_key_of_a_dialect() -> None:
    known = modules() | keys()
    found = {
        (path.name, word)
        for path in SOURCE.rglob("*.py")
        for text in texts(path)
        for word in re.findall(r"[A-Za-z_][\w-]*", text)
        if word in known
    }
    assert found - ALLOWED == set()
    assert found >= ALLOWED, "an exception that is not needed any more"


def test_the_words_that_are_looked_for() -> None:
    assert {"nvfp4", "gptq", "awq", "modelopt", "comfy", "torchao", "quark", "mlx", "nf4", "hqq", "lora"} <= names()
    assert {"q_proj", "down_proj", "w1", "lm_head", "embed_tokens", "self_attn", "input_layernorm"} <= modules()
    assert {"num_hidden_layers", "text_config", "tie_word_embeddings", "num_nextn_predict_layers"} <= modules()
    assert {"num_bits", "config_groups", "block_structure", "input_activations", "actorder", "quant_algo"} <= keys()
