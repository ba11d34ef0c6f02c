"""Facts: what a reader or a check saw, with a place and numbers, before any rule says what it means.

Readers and checks state facts; rules (YAML) turn a fact into a finding by giving it severity, words and remedy. The
catalogue below is closed: a rule that names a fact or a field which is not here does not load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One observation.

    `kind` is a key of the catalogue; `file` is relative to the checkpoint; `tensor` may be empty; `offset` is a byte
    offset in `file`, or None; `values` are the fields a message may use.
    """

    kind: str
    file: str = ""
    tensor: str = ""
    offset: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FactKind:
    """What a kind of fact means and which fields it carries."""

    summary: str
    fields: tuple[str, ...] = ()


CATALOGUE: Mapping[str, FactKind] = {
    "lfs-pointer": FactKind("A Git-LFS pointer stands where the shard should be.", ("oid", "real_size", "size")),
    "wrong-file-type": FactKind("The file is something else than safetensors.", ("what", "start", "size")),
    "zeroed-head": FactKind("The file begins with zero bytes: its header was never written.", ("zeros", "size")),
    "too-small": FactKind("The file is too small to hold a header length.", ("size",)),
    "bad-header-length": FactKind("The header length is impossible.", ("declared", "size", "problem")),
    "header-not-utf8": FactKind("The header is not UTF-8 text.", ("position", "byte")),
    "header-not-json": FactKind("The header is not JSON.", ("reason", "near")),
    "header-not-object": FactKind("The header is JSON, but not an object.", ("found",)),
    "bad-entry": FactKind("A tensor's entry in the header cannot be used.", ("problem",)),
    "bad-metadata": FactKind("`__metadata__` is not a map from text to text.", ("problem",)),
    "unknown-dtype": FactKind("A tensor has a dtype the format does not know.", ("dtype", "near")),
    "duplicate-key": FactKind("A key stands twice in the header.", ("key", "where")),
    "size-overflow": FactKind("A tensor's size overflows 64 bits.", ("shape", "dtype")),
    "partial-byte": FactKind("A tensor of a packed dtype does not end on a byte.", ("shape", "dtype", "bits")),
    "span-mismatch": FactKind(
        "A tensor's byte range does not fit its dtype and shape.", ("span", "needed", "shape", "dtype")
    ),
    "offsets-reversed": FactKind("A tensor ends before it begins.", ("begin", "end")),
    "hole": FactKind("Bytes between two tensors belong to none.", ("bytes", "begin", "end")),
    "overlap": FactKind("Two tensors share bytes.", ("bytes", "other", "begin", "end")),
    "truncated": FactKind("The file ends before its last tensor.", ("missing", "needed", "size", "tensors", "of")),
    "zero-tail": FactKind(
        "A file is zero from the middle of a tensor to its end.", ("bytes", "begin", "end", "tensors", "of")
    ),
    "trailing-bytes": FactKind("Bytes follow the last tensor.", ("bytes", "size", "end")),
    "stored-size": FactKind(
        "The stored content has another size than the Hub's listing or the LFS pointer states.",
        ("stated", "actual", "where"),
    ),
    "misaligned": FactKind(
        "Tensors do not start on a multiple of their element size.",
        ("tensors", "of", "header_bytes", "bytes"),
    ),
    "leading-space": FactKind("The header does not begin with `{`.", ("start",)),
    "unknown-field": FactKind("A tensor's entry has fields the format does not know.", ("fields",)),
    "odd-name": FactKind("A tensor name is empty or has control characters.", ("name",)),
    "index-unreadable": FactKind("The index cannot be used.", ("problem",)),
    "index-duplicate-key": FactKind("A tensor stands twice in the index.", ("key",)),
    "index-no-metadata": FactKind("The index has no `metadata`.", ()),
    "path-escape": FactKind("The index names a file outside the checkpoint's folder.", ("shard", "tensors")),
    "missing-shard": FactKind("The index names a shard that is not there.", ("shard", "tensors", "of", "held")),
    "missing-tensor": FactKind("The index names a tensor that no shard holds.", ("shard", "instead")),
    "stale-index": FactKind(
        "The index names tensors that no shard holds, and the shards hold tensors that it does not name.",
        ("gone", "new", "first_gone", "first_new"),
    ),
    "wrong-shard": FactKind("The index names one shard, another one holds the tensor.", ("shard", "holder")),
    "unlisted-tensor": FactKind("A shard holds a tensor that the index does not name.", ("shard",)),
    "unlisted-shard": FactKind("A shard of the model is not in the index.", ("shard", "tensors", "bytes", "index")),
    "total-size": FactKind("`metadata.total_size` is not the sum of the tensors.", ("stated", "actual")),
    "config-unreadable": FactKind("A JSON file of the checkpoint cannot be used.", ("problem",)),
    "config-duplicate-key": FactKind("A key stands twice in a JSON file of the checkpoint.", ("key",)),
    "shard-gap": FactKind(
        "Shards are numbered `-of-N`, but some numbers are missing.", ("missing", "present", "total")
    ),
    "no-index": FactKind("There are several numbered shards but no index.", ("shards",)),
    "broken-link": FactKind("A shard is a symbolic link that points nowhere.", ("target",)),
    "missing-part": FactKind(
        "A module lacks a part its scheme needs.",
        ("module", "part", "scheme", "suffix", "have", "of", "declared"),
    ),
    "activations-undeclared": FactKind(
        "Activation settings are declared, but no module has the scale for them.",
        ("part", "modules", "where"),
    ),
    "missing-companion": FactKind(
        "Modules are known by a tensor beside them all, and it is not there.", ("scheme", "beside", "modules")
    ),
    "wrong-dtype": FactKind(
        "A part has a dtype its scheme does not allow.", ("module", "part", "scheme", "found", "wanted")
    ),
    "wrong-shape": FactKind(
        "A part's shape does not fit the others.",
        ("module", "part", "scheme", "found", "wanted", "other", "other_shape", "hint"),
    ),
    "orphan-part": FactKind(
        "A scale or other part belongs to no quantized weight.", ("module", "part", "scheme", "weight_dtype")
    ),
    "unknown-scheme": FactKind("Modules look quantized but fit no known scheme.", ("signature", "module", "modules")),
    "unknown-part": FactKind("A quantized module has a tensor that its scheme does not know.", ("module", "scheme")),
    "second-weight": FactKind(
        "A quantized module has a weight in plain floats as well.", ("module", "scheme", "dtype")
    ),
    "leaked-state": FactKind("State of a quantizer or observer was saved with the weights.", ("owner",)),
    "mtp-missing": FactKind(
        "The configuration counts layers for multi-token prediction, but there are none.", ("key", "count")
    ),
    "ambiguous-scheme": FactKind("Modules fit several schemes equally well.", ("scheme", "rivals", "module")),
    "declaration-missing": FactKind("Modules are quantized, but no file says how.", ("schemes", "modules")),
    "declaration-left": FactKind(
        "A file declares quantization, but nothing is quantized.", ("method", "where", "algorithm")
    ),
    "declaration-unknown": FactKind("A file declares a quantization method that is not known here.", ("method",)),
    "scheme-mismatch": FactKind(
        "A module is stored in another way than declared.", ("module", "scheme", "declared", "where", "entry", "meant")
    ),
    "parameter-mismatch": FactKind(
        "A module's group or block size is not the declared one.",
        ("module", "scheme", "parameter", "found", "declared", "where"),
    ),
    "activations-mismatch": FactKind(
        "Activations are declared that do not go with the weights.", ("module", "scheme", "declared", "where")
    ),
    "ignored-but-quantized": FactKind(
        "A module is in the ignore list, but quantized.", ("module", "scheme", "entry", "where")
    ),
    "quantized-not-declared": FactKind(
        "A module is quantized, but the table of quantized layers does not name it.",
        ("module", "scheme", "where"),
    ),
    "unquantized-not-ignored": FactKind(
        "A module is not quantized, but no ignore entry covers it.",
        ("module", "dtype", "scheme", "where", "siblings"),
    ),
    "odd-one-out": FactKind(
        "One module is not quantized, but all others of its kind and of its layer are.",
        ("module", "dtype", "scheme", "siblings"),
    ),
    "listed-but-unquantized": FactKind(
        "The table of quantized layers names a module that is not quantized.",
        ("module", "dtype", "declared", "where"),
    ),
    "dead-entry": FactKind("An ignore entry covers no module of the checkpoint.", ("entry", "where")),
    "dead-group": FactKind("A group of a declaration covers no module.", ("group", "targets", "where")),
    "mistaken-entry": FactKind(
        "An ignore entry covers no module, and it can be told what is wrong with it.", ("entry", "why", "where")
    ),
    "broken-pattern": FactKind("A pattern in a list cannot be evaluated.", ("entry", "problem", "where")),
    "declarations-differ": FactKind(
        "Two files declare different things.", ("field", "first", "second", "other", "where")
    ),
    "frozen-status": FactKind(
        "The declaration says the weights are not compressed, but they are.", ("status", "where")
    ),
    "kv-without-scales": FactKind("KV-cache quantization is declared, but there are no scales.", ("declared", "where")),
    "kv-undeclared": FactKind("There are KV-cache scales, but no file declares KV-cache quantization.", ("tensors",)),
    "kv-half-pair": FactKind(
        "An attention layer has a key scale without a value scale, or the reverse.",
        ("module", "has", "lacks"),
    ),
    "kv-layer-missing": FactKind(
        "Some attention layers have KV-cache scales, this one has none.", ("module", "have", "of")
    ),
    "kv-all-one": FactKind("Every KV-cache scale is exactly 1.", ("tensors",)),
    "missing-layer": FactKind(
        "A layer that the configuration counts is not there.", ("layers", "present", "count", "key")
    ),
    "extra-layer": FactKind(
        "There are more layers than the configuration counts.", ("layers", "present", "count", "key")
    ),
    "size-contradiction": FactKind(
        "A module's size does not fit the modules it is wired to.",
        ("module", "side", "found", "expected", "why", "shape"),
    ),
    "missing-module": FactKind("A tensor that the other layers have is missing from one.", ("layer", "have", "of")),
    "missing-experts": FactKind(
        "Experts that the configuration counts are not there.",
        ("module", "experts", "present", "count", "key"),
    ),
    "extra-experts": FactKind(
        "There are more experts than the configuration counts.", ("module", "present", "count", "key")
    ),
    "format-contradiction": FactKind(
        "A group of a declaration states another format than the declaration itself.",
        ("stated", "group", "found", "where"),
    ),
    "one-sided": FactKind(
        "Only the second of two places that an exporter writes alike declares quantization.",
        ("method", "found", "missing"),
    ),
    "head-not-ignored": FactKind(
        "The output head is not quantized, but no ignore entry covers it.", ("module", "dtype", "where")
    ),
    "group-index": FactKind(
        "A group index does not assign the columns to the groups.", ("module", "problem", "groups", "columns")
    ),
    "logical-shape": FactKind(
        "The stored logical shape is not that of the packed weight.", ("module", "stated", "found", "packed")
    ),
    "undescribed-module": FactKind(
        "The header's metadata does not say of a module what its readers need.", ("module", "scheme", "key", "problem")
    ),
    "odd-type": FactKind(
        "A plain tensor has another kind of dtype than its role or its siblings have.", ("dtype", "wanted", "why")
    ),
    "repeated-segment": FactKind("A part of tensor names stands there twice.", ("segment", "tensors")),
    "foreign-prefix": FactKind(
        "The layers stand under another prefix than their model type has.", ("prefix", "wanted", "model_type")
    ),
    "wrapper-left": FactKind(
        "Tensors have the names that a wrapper gives them in training.", ("wrapper", "segments", "tensors", "meant")
    ),
    "renamed-module": FactKind(
        "A module of one layer has a longer name than in the other layers.", ("module", "meant")
    ),
    "copied-layer": FactKind("A layer is a copy of another one.", ("layer", "other", "tensors", "bytes")),
    "odd-part-type": FactKind(
        "A part has another dtype than the same part of the other layers.", ("dtype", "wanted", "part")
    ),
    "config-dtype": FactKind(
        "config.json states another 16-bit dtype than the tensors have.", ("key", "stated", "found", "tensors")
    ),
    "foreign-key": FactKind(
        "A declaration has keys that only the exporters of another method write.", ("method", "key", "other", "where")
    ),
    "missing-embedding": FactKind("There is no input embedding.", ("vocabulary",)),
    "missing-norm": FactKind("There is no final norm.", ("layers",)),
    "missing-head": FactKind("There is no output head, and the embedding is not tied.", ("key",)),
    "tied-head-differs": FactKind("The embedding is tied, but a different output head is stored.", ("embedding",)),
    "tied-head-copy": FactKind(
        "The embedding is tied, and a copy of it is stored as output head.", ("embedding", "bytes")
    ),
    "config-dimension": FactKind(
        "A dimension in config.json is not that of the tensors.", ("key", "stated", "found", "shape", "wrong")
    ),
    "duplicate-tensor": FactKind("Two shards hold the same tensor with the same bytes.", ("shards", "bytes")),
    "duplicate-tensor-overridden": FactKind(
        "A shard overrides a tensor of another one, as the index says.", ("shards", "shapes", "overlay")
    ),
    "duplicate-tensor-differs": FactKind(
        "Two shards hold the same tensor with different content.", ("shards", "shapes")
    ),
    "protected-role-quantized": FactKind(
        "A module that engines load unquantized is quantized.", ("module", "role", "scheme")
    ),
    "fused-schemes-differ": FactKind(
        "Modules that runtimes merge are stored in different ways.", ("modules", "schemes")
    ),
    "fused-partly-quantized": FactKind(
        "Of modules that runtimes merge, some are quantized and some are not.", ("modules", "plain", "scheme")
    ),
    "tensor-parallel": FactKind(
        "The scales of a module do not let it be divided over 8 devices.",
        ("module", "size", "part", "side", "length", "shape"),
    ),
    "fused-scales-differ": FactKind(
        "Modules that runtimes merge have different scales per tensor.",
        ("modules", "part", "ratio", "smallest", "largest"),
    ),
    "scale-out-of-line": FactKind(
        "A scale is far larger than those of the other modules.",
        ("module", "part", "largest", "usual", "ratio", "others"),
    ),
    "fused-inputs-differ": FactKind(
        "Modules that read the same input have different activation scales.",
        ("modules", "part", "ratio", "smallest", "largest"),
    ),
    "same-sign": FactKind(
        "Values have the sign of the scales whose opposite they should have.",
        ("module", "part", "other", "same", "checked"),
    ),
    "marker-text": FactKind(
        "A text that is stored beside a weight is none of those its readers know.", ("module", "part", "text", "wanted")
    ),
    "state-text": FactKind(
        "JSON text that is stored beside a weight contradicts the tensors.", ("module", "scheme", "problem")
    ),
    "not-power-of-two": FactKind(
        "Scales are declared powers of two, but some are not.", ("module", "part", "dtype", "odd", "count", "where")
    ),
    "power-of-two-undeclared": FactKind(
        "All scales are powers of two, which the configuration does not say.", ("modules", "count", "where")
    ),
    "zero-point-convention": FactKind(
        "All zero points of a module are the symmetric one of another format than is declared.",
        ("module", "found", "wanted", "format", "where"),
    ),
    "zero-points-vary": FactKind(
        "Zero points vary although symmetric quantization is declared.", ("module", "format", "where")
    ),
    "zero-points-constant": FactKind(
        "All zero points of a module are the same although quantization is not declared symmetric.",
        ("module", "found", "varied", "of", "format", "where"),
    ),
    "zero-points-shifted": FactKind(
        "Zero points lie one beside the codes of the weights: they are those of another format.",
        ("modules", "format", "distance", "wanted", "where"),
    ),
    "half-codes": FactKind(
        "Half of the codes of a 4-bit weight never occur.", ("module", "scheme", "half", "lowest", "highest")
    ),
    "lowest-exponent-over-codes": FactKind(
        "Shared exponents are at the bottom although their blocks hold values.",
        ("module", "zeros", "live", "checked", "count"),
    ),
    "zero-filled": FactKind(
        "A stretch of zero bytes begins or ends in the middle of a tensor's row.",
        ("bytes", "begin", "end", "pages", "share", "to_end"),
    ),
    "unused-ignore": FactKind("An ignore of the configuration matches no finding.", ("rules", "names", "reason")),
    "expired-ignore": FactKind(
        "The last day of an ignore has passed, and findings that it covered are back.",
        ("rules", "names", "reason", "until", "findings"),
    ),
    "zero-scale-over-codes": FactKind(
        "Block scales are zero although their blocks hold values.",
        ("module", "zeros", "live", "checked", "count"),
    ),
}


def catalogue() -> Mapping[str, FactKind]:
    """Every kind of fact, by name."""
    return CATALOGUE
