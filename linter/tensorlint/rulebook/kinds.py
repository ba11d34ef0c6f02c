"""What a file is: a rule, scheme, dialect, family, producer or engine, by the keys that only one of them has."""

from __future__ import annotations

from collections.abc import Mapping

from ..text.place import nearest
from ..text.yamltext import Item

TELLING: Mapping[str, tuple[str, ...]] = {
    "rule": ("severity", "message", "effect", "remedy", "require", "fact", "each", "for", "when", "params", "why",
             "since"),
    "scheme": ("parts", "symbols", "declared", "decode", "quantized", "weak", "companion", "everywhere",
               "self_declared", "written_by", "elements", "described"),
    "dialect": ("places", "fields", "matching", "lists", "trust_activations", "activations", "method"),
    "family": ("roles", "model_types", "layers", "counts", "optional", "row_parallel", "wrappers"),
    "producer": ("defects", "producer"),
    "engine": ("engine", "limits", "version", "serves", "repository"),
}  # fmt: skip
_KIND_OF = {key: kind for kind, keys in TELLING.items() for key in keys}
_SHARED = ("summary", "see", "bad", "good", "fused")


def kind_of(top: Item) -> str:  # noqa: RET503 (every other way out raises)
    """The kind that most keys speak for; raises RuleFileError when none does."""
    keys = list(top.mapping("the file"))
    votes = {kind: sum(key in own for key in keys) for kind, own in TELLING.items()}
    best = max(votes, key=lambda kind: votes[kind])
    if votes[best]:
        return best
    for key in keys:  # nothing but misspelt keys: what is nearest?
        near = nearest(key, _KIND_OF) if key not in _SHARED else ""
        if near:
            top.mapping("the file")[key].fail_key(f"unknown key `{key}`", f"did you mean `{near}`?")
    if "fused" in keys:
        return "family"
    top.fail(
        "this is no rule, scheme, dialect, family, producer or engine",
        "a rule has `severity`, `message` and `require`; a scheme has `parts`",
    )
