"""Every word of the rule language with its explanation: validation, `explain` and the docs come from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..dtypes import DTYPE_BITS, ENCODINGS
from ..measures.interface import COUNTED, WORDS
from ..schemes.families import ROLES
from ..schemes.model import CONVENTIONS, KINDS, PART_KINDS, SIGNS

TOP: Mapping[str, str] = {
    "summary": "One sentence that names the defect.",
    "severity": "error, warning or note.",
    "since": "The version the rule first came with.",
    "fact": "The fact this rule turns into a finding (instead of `each`, `for` and `require`).",
    "each": "What the rule looks at: tensor, module or checkpoint.",
    "for": "Which of those: scheme, part, kind, role, dtype ... (modules: scheme, role, module, quantized).",
    "when": "Conditions under which the rule applies, written like `require`.",
    "require": "What must hold; otherwise there is a finding.",
    "params": "Numbers a user may set; `$name` stands for one of them in `when` and `require`.",
    "message": "What is said; {fields} are filled in: {nan}, {nan_share:%}, {bytes:bytes}, {byte:x}, "
    "{key|words} (the words where there is no value).",
    "effect": "What happens when the model is served; {fields} as in `message`, pages show the words of {key|words}.",
    "remedy": "What to do about it; {fields} as in `effect`.",
    "why": "Longer explanation, for `tensorlint explain`.",
    "unless": "Rules that name its cause, by how near: it is not said where they are, and are no less severe.",
    "about": "files, tensors (each for itself), or model (several tensors, or the configuration: certain when all "
    "shards are there). Without it: files for facts of a file or an index, tensors for `each: tensor`, else model.",
    "awaits": "shards or index: what it misses and a later upload may bring, so that it does not block this one.",
    "was": "Earlier names of the rule: configurations, command lines and baselines may still use them.",
    "see": "Threads and sources.",
    "bad": "Examples with the defect: they are the rule's tests and part of its documentation.",
    "good": "Examples without it.",
}
SCOPE: Mapping[str, str] = {
    "scheme": "Names or globs of schemes.",
    "part": "Parts of a scheme: " + ", ".join(PART_KINDS) + ".",
    "kind": "Kinds of parts: " + ", ".join(KINDS) + ".",
    "role": "Roles of modules: " + ", ".join(ROLES) + ".",
    "not_role": "Roles left out.",
    "dtype": "Safetensors dtypes: " + ", ".join(DTYPE_BITS) + ".",
    "holds": "Encodings: " + ", ".join(ENCODINGS) + ".",
    "not_holds": "Encodings left out.",
    "granularity": "What one scale covers, as the scheme's shapes name it: tensor, channel, group, block, tiles.",
    "sign": "Parts whose contract says: " + ", ".join(SIGNS) + ".",
    "convention": "Parts whose contract says: " + ", ".join(CONVENTIONS) + ".",
    "tensor": "Globs over tensor names.",
    "module": "Globs over module names.",
    "not_module": "Globs over module names left out.",
    "quantized": "true for modules of quantized schemes, false for the others.",
    "dims": "Numbers of dimensions.",
}
ABOUT: Mapping[str, str] = {
    "tensor": "the same tensor",
    "module": "a tensor of the same module",
    "siblings": "a module under the same parent, such as one of q, k and v",
    "file": "the same file",
    "checkpoint": "anything in the same checkpoint",
}
NEAR: Mapping[str, str] = {
    near: f"Rules that name the cause where they are about {what}." for near, what in ABOUT.items()
}
BOUNDS: Mapping[str, str] = {
    "equals": "Exactly this number.",
    "at_least": "This number or more.",
    "at_most": "This number or less.",
    "above": "More than this number.",
    "below": "Less than this number.",
    "one_of": "One of these numbers.",
    "not": "Anything but this number.",
}
SHARES: Mapping[str, str] = {f"{word}_share": f"{WORDS[word]}, as a share of all elements" for word in COUNTED}
TENSOR_WORDS: Mapping[str, str] = {**WORDS, **SHARES}
MODULE_WORDS: Mapping[str, str] = {
    "present": "Parts the module must have.",
    "absent": "Parts the module must not have.",
    "dtypes": "The dtype, or list of dtypes, a part must have.",
    "shapes": "Shapes that must fit together, with symbols: {weight: [N, K/2], block_scale: [N, K/16]}.",
    "metadata": "Keys that `__metadata__` in the header of a shard must have.",
    "declared": "What the configuration declares of the module, in normalized fields: {bits: 4, symmetric: true}.",
}
REQUIRE: Mapping[str, str] = {
    **TENSOR_WORDS,
    **MODULE_WORDS,
    "config": "Values in config.json by dotted key: a number, text, true/false, or bounds.",
    "that": "An expression over words and fields: `block_scale.shape[1] * 16 == weight.shape[1] * 2`.",
    "dtype": "The tensor's dtype, or a list of dtypes.",
}
TENSOR_FIELDS = ("tensor", "file", "part", "module", "scheme", "dtype", "shape", "formula", "tensors")
MODULE_FIELDS = ("module", "scheme", "N", "K", "E", "bits", "group")
MODULE_NUMBERS = ("N", "K", "E", "bits", "group")  # logical rows, columns, experts; bits of a value; columns per scale
PART_FIELDS = ("dtype", "shape", "name", "granularity")


@dataclass(frozen=True)
class Word:
    """One word and where it may stand."""

    name: str
    where: str
    meaning: str


def words() -> tuple[Word, ...]:
    """The whole vocabulary."""
    found = [Word(k, "top level", v) for k, v in TOP.items()]
    found += [Word(k, "`for`", v) for k, v in SCOPE.items()]
    found += [Word(k, "`require`, `when`", v) for k, v in REQUIRE.items()]
    found += [Word(k, "`unless`", v) for k, v in NEAR.items()]
    found += [Word(k, "bounds", v) for k, v in BOUNDS.items()]
    return tuple(found)
