"""Mistakes people make in rule files: each is an error at its place (marked by « in the text), with a useful hint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tensorlint.errors import RuleFileError
from tensorlint.rulebook.kinds import Known, kind_of
from tensorlint.rulebook.library import load_book
from tensorlint.text.yamlread import read

TENSOR_RULE = {
    "summary": "summary: Some scales are NaN.",
    "severity": "severity: error",
    "for": "for: {kind: scale}",
    "require": "require: {nan: 0}",
    "message": 'message: "{nan} of {count} are NaN"',
    "bad": 'bad: [{model.safetensors: {a.weight: "F8_E4M3[4, 4]", a.weight_scale: "F32[] = nan"}, says: NaN}]',
    "good": 'good: [{model.safetensors: {a.weight: "F8_E4M3[4, 4]", a.weight_scale: "F32[] = 1"}}]',
}
MODULE_RULE = {
    **TENSOR_RULE,
    "each": "each: module",
    "for": "for: {scheme: nvfp4-modelopt}",
    "require": "require: {present: [weight]}",
    "message": 'message: "{module} lacks a part"',
}
CHECKPOINT_RULE = {
    **{k: v for k, v in TENSOR_RULE.items() if k != "for"},
    "each": "each: checkpoint",
    "require": "require: {config: {hidden_size: {at_least: 1}}}",
    "message": 'message: "hidden_size is {config.hidden_size}"',
}
FACT_RULE = {
    **{k: v for k, v in TENSOR_RULE.items() if k not in ("for", "require")},
    "fact": "fact: missing-part",
    "message": 'message: "{module} has no {part}"',
}
SCHEME = {
    "summary": "summary: My format.",
    "parts": "parts:\n  weight: {name: '{module}.weight', dtype: U8, shape: [N, K/2], holds: fp4}\n"
    "  block_scale: {name: '{module}.my_scale', dtype: F8_E4M3, shape: [N, K/16], scales: weight}",
    "declared": "declared: {method: mine}",
    "bad": "bad: [{but: {a.my_scale: dropped}, rule: contract/missing-part}]",
    "good": 'good: [{model.safetensors: {a.weight: "U8[4, 16]", a.my_scale: "F8_E4M3[4, 2]"}}]',
}
DIALECT = {
    "summary": "summary: How my exporter says it.",
    "method": "method: mine",
    "places": "places: [{file: config.json, at: quantization_config, when: {quant_method: mine}}]",
}
FAMILY = {"summary": "summary: My models.", "roles": 'roles: {router: ["*.gate"]}'}
PRODUCER = {
    "summary": "summary: My exporter.",
    "producer": "producer: mine",
    "defects": 'defects: [{rules: [scales/nan], before: "1.2", says: "Versions before 1.2 do this."}]',
}
BASES = {
    "tensor": TENSOR_RULE, "module": MODULE_RULE, "checkpoint": CHECKPOINT_RULE, "fact": FACT_RULE, "scheme": SCHEME,
    "dialect": DIALECT, "family": FAMILY, "producer": PRODUCER,
}  # fmt: skip

# base, key replaced or added, its new text ("" removes it; « marks the place of the error), words that must be said
CASES = [
    # -- top level
    ("tensor", "severity", "«sevrity: error", "unknown key `sevrity`|did you mean `severity`"),
    ("tensor", "requires", "«requires: {nan: 0}", "unknown key `requires`|did you mean `require`"),
    ("tensor", "summary", "«Summary: x", "did you mean `summary`"),
    ("tensor", "remedie", "«remedie: x", "did you mean `remedy`"),
    ("tensor", "message", "", "has no `message`"),
    ("tensor", "severity", "", "has no `severity`"),
    ("tensor", "summary", "", "has no `summary`"),
    ("tensor", "bad", "", "has no `bad`"),
    ("tensor", "good", "", "has no `good`"),
    ("tensor", "require", "", "neither `fact` nor `require`|nan: 0"),
    ("tensor", "severity", "severity: «eror", "`eror` is not a severity|did you mean `error`"),
    ("tensor", "severity", "severity: «Error", "did you mean `error`"),
    ("tensor", "severity", "severity: «critical", "one of: error, note, warning"),
    ("tensor", "severity", "severity: «[error]", "must be text, not a list"),
    ("tensor", "severity", "severity: «on", "YAML reads `on` as yes/no|in quotes"),
    ("tensor", "severity", "«severity:", "nothing is given"),
    ("tensor", "summary", "summary: «yes", "reads `yes` as yes/no"),
    ("tensor", "summary", "summary: «404", "reads `404` as a number"),
    ("tensor", "summary", "summary: «2024-01-01", "as a date"),
    ("tensor", "summary", "summary: «null", "as nothing"),
    ("tensor", "summary", 'summary: «""', "must not be empty"),
    ("tensor", "summary", "summary: «{a: b}", "must be text, not a mapping"),
    ("tensor", "since", "since: «0.1", 'as a number|"0.1"'),
    ("tensor", "see", "see: «[]", "an empty list"),
    ("tensor", "see", "see: [«1633]", "reads `1633` as a number"),
    ("tensor", "why", "why: «[a]", "must be text"),
    ("tensor", "each", "each: «tensors", "did you mean `tensor`"),
    ("tensor", "each", "each: «fused", "one of: checkpoint, module, tensor"),
    ("tensor", "fact", "fact: «mising-part", "did you mean `missing-part`"),
    ("tensor", "fact", "fact: missing_part", "did you mean `missing-part`"),
    # -- for
    ("tensor", "for", "for: «scale", "must be a mapping"),
    ("tensor", "for", "for: «{}", "`for` is empty"),
    ("tensor", "for", "for: {«kinds: scale}", "unknown key `kinds`|did you mean `kind`"),
    ("tensor", "for", "for: {kind: «scales}", "did you mean `scale`"),
    ("tensor", "for", "for: {kind: «[]}", "an empty list"),
    ("tensor", "for", "for: {part: «blockscale}", "not a part of any scheme|did you mean `block_scale`"),
    ("tensor", "for", "for: {part: «nested_offset}", "no scheme has a part `nested_offset`"),
    ("tensor", "for", "for: {scheme: gptq, part: «block_scale}", "no scheme that the rule's `for` allows"),
    ("tensor", "for", "for: {scheme: «nvpf4-modelopt}", "no scheme matches|did you mean `nvfp4-modelopt`"),
    ("tensor", "for", 'for: {scheme: «"nvfp5*"}', "no scheme matches `nvfp5*`"),
    ("tensor", "for", "for: {role: «attn}", "is not a role|attention"),
    ("tensor", "for", "for: {not_role: «rooter}", "did you mean `router`"),
    ("tensor", "for", "for: {dtype: «FP8}", "is not a dtype"),
    ("tensor", "for", "for: {dtype: «f8_e4m3}", "did you mean `F8_E4M3`"),
    ("tensor", "for", "for: {holds: «E4M3}", "did you mean `e4m3`"),
    ("tensor", "for", "for: {sign: «postive}", "did you mean `positive`"),
    ("tensor", "for", "for: {convention: «multiply}", "did you mean `multiplier`"),
    ("tensor", "for", "for: {granularity: «chanel}", "did you mean `channel`"),
    ("tensor", "for", "for: {quantized: «yes}", "true or false"),
    ("tensor", "for", 'for: {quantized: «"true"}', "true or false|without quotes"),
    ("tensor", "for", "for: {dims: «two}", "must be a number"),
    ("tensor", "for", "for: {dims: «2.5}", "whole number"),
    ("tensor", "for", "for: {dims: «-1}", "whole number"),
    ("tensor", "for", "for: {tensor: «*.weight}", "quote"),
    ("tensor", "for", 'for: {tensor: «"^model"}', "is not a glob|regular expressions"),
    ("tensor", "for", 'for: {tensor: «"layers.{0,1}.*"}', "is not a glob"),
    ("tensor", "for", 'for: {module: «"*.[qk_proj"}', "never closed"),
    ("tensor", "for", 'for: {not_module: «""}', "must not be empty"),
    ("tensor", "for", "«for: {kind: low_rank, convention: multiplier}", "never look at anything"),
    ("tensor", "for", "for: {role: norm, not_role: «norm}", "both in `role` and in `not_role`"),
    ("module", "for", "for: {«kind: scale}", "does not go with `each: module`|scheme, role"),
    ("module", "for", "for: {«part: weight}", "does not go with `each: module`"),
    ("module", "for", "for: {«dims: 2}", "does not go with `each: module`"),
    ("checkpoint", "for", "«for: {scheme: gptq}", "no `for`|`when`"),
    # -- require and when
    ("tensor", "require", "require: {«nan_cuont: 0}", "unknown key `nan_cuont` in `require`"),
    ("tensor", "require", "require: {«nans: 0}", "did you mean `nan`"),
    ("tensor", "require", "require: {nan_share: 0, «infs: 0}", "did you mean `inf`"),
    ("tensor", "require", "require: «{}", "`require` is empty"),
    ("tensor", "require", "require: «nan", "must be a mapping"),
    ("tensor", "require", "require: {«shapes: {weight: [N]}}", "`shapes` is not about a tensor"),
    ("tensor", "require", "require: {«config: {a: 1}}", "`config` is not about a tensor"),
    ("tensor", "require", "require: {nan: 0, «kind: scale}", "chooses units|under `for`"),
    ("tensor", "when", "when: {«zeros: 0}", "did you mean `zero`"),
    ("tensor", "when", "when: «{}", "`when` is empty"),
    ("tensor", "require", "require: {nan: «none}", "must be a number, not `none`"),
    ("tensor", "require", 'require: {nan: «"0"}', "leave the quotes out"),
    ("tensor", "require", "require: {nan: «.nan}", "must be a number"),
    ("tensor", "require", "require: {nan: «.inf}", "must be a number"),
    ("tensor", "require", "require: {nan: «true}", "must be a number"),
    ("tensor", "require", "require: {«nan: }", "nothing is given"),
    ("tensor", "require", "require: {largest: {below: «1e-3}}", "not `1e-3`|write 0.001"),
    ("tensor", "require", "require: {largest: {below: «1e30}}", "write 1.0e+30"),
    ("tensor", "require", "require: {largest: {below: «1.0e30}}", "write 1.0e+30"),
    ("tensor", "require", "require: {largest: {below: «1.0e+999}}", "must be a number"),
    ("tensor", "require", "require: {nan: «017}", "base 8"),
    ("tensor", "require", "require: {count: {below: «1:30}}", "60"),
    ("tensor", "require", "require: {count: {below: «1_000}}", "plain decimal digits"),
    ("tensor", "require", "require: {count: {below: «99999999999999999999999}}", "more than 20 digits"),
    ("tensor", "require", "require: {nan: «0.5}", "`nan` is never 0.5|counts elements"),
    ("tensor", "require", "require: {nan: «-1}", "`nan` is never -1"),
    ("tensor", "require", "require: {zero_share: «5}", "5 % is 0.05"),
    ("tensor", "require", "require: {zero_share: {at_most: «5}}", "leave nothing out|5 % is 0.05"),
    ("tensor", "require", "require: {nan: {at_least: «0}}", "leave nothing out"),
    ("tensor", "require", "require: {nan: {below: «0}}", "can never be like this"),
    ("tensor", "require", "require: {byte: {above: «255}}", "can never be like this"),
    ("tensor", "require", "require: {largest: {at_least: 5, at_most: «1}}", "cannot be at_least 5 and at_most 1"),
    ("tensor", "require", "require: {largest: {above: 1, below: «1}}", "exclude everything"),
    ("tensor", "require", "require: {nan: {above: 1, below: «2}}", "no whole number"),
    ("tensor", "require", "require: {nan: {at_least: 1, «above: 2}}", "both `at_least` and `above`"),
    ("tensor", "require", "require: {nan: {«equals: 0, below: 2}}", "keep one of them"),
    ("tensor", "require", "require: {nan: {«atleast: 1}}", "did you mean `at_least`"),
    ("tensor", "require", "require: {nan: {«min: 1}}", "unknown key `min`"),
    ("tensor", "require", "require: {nan: «{}}", "is empty"),
    ("tensor", "require", "require: {nan: «[0, 5]}", "range or a choice|one_of"),
    ("tensor", "require", "require: {nan: «[]}", "an empty list"),
    ("tensor", "require", "require: {nan: {one_of: «[]}}", "nothing would pass"),
    ("tensor", "require", "require: {nan: {one_of: «3}}", "must be a list"),
    ("tensor", "require", "require: {nan: {one_of: [0, «-4]}}", "is never -4"),
    ("tensor", "require", "require: {nan: {below: «[1]}}", "compared with one value"),
    ("tensor", "require", "require: {nan: «>= 0}", "This is not YAML|this is not YAML"),
    ("tensor", "require", "require:\n  nan: «>= 0", "at_least"),
    ("tensor", "require", "require:\n  nan: «!= 0", "quote a text that begins with !"),
    ("tensor", "require", "require: {dtype: «FP16}", "is not a dtype|did you mean `F16`"),
    ("tensor", "require", "require: {nan: «$limit}", "not a param|declare it"),
    ("tensor", "params", "params: {«limit: 3}", "no condition uses the param `limit`"),
    ("tensor", "params", "params: {limit: «high}\nwhen: {zero: $limit}", "param `limit` must be a number"),
    ("tensor", "params", "params: {«nan: 3}\nwhen: {zero: $nan}", "already means something else"),
    ("tensor", "params", "params: {«max-nan: 3}", "not a name for a param"),
    ("tensor", "params", "params: {limit: 3}\nwhen: {zero: «$limmit}", "did you mean `limit`"),
    ("tensor", "params", "params: «3", "must be a mapping"),
    ("module", "require", "require: {«presnt: [weight]}", "did you mean `present`"),
    ("module", "require", "require: {«nan: 0}", "`nan` is not about a module"),
    ("module", "require", "require: {present: [«weigth]}", "did you mean `weight`"),
    ("module", "require", "require: {absent: «zero_point}", "no scheme that the rule's `for` allows has a part"),
    ("module", "require", "require: {present: «[]}", "an empty list"),
    ("module", "require", "require: {dtypes: {«wieght: U8}}", "did you mean `weight`"),
    ("module", "require", "require: {dtypes: {weight: «UINT8}}", "did you mean `U8`|is not a dtype"),
    ("module", "require", "require: {dtypes: «U8}", "must be a mapping"),
    ("module", "require", "require: {shapes: {«scale: [N]}}", "is not a part"),
    ("module", "require", "require: {shapes: {weight: «N}}", "must be a list"),
    ("module", "require", "require: {shapes: {weight: [N, «K**2]}}", "something else than numbers"),
    ("module", "require", "require: {shapes: {weight: [N, «K/]}}", "is not a dimension|K/16"),
    ("module", "require", "require: {shapes: {weight: [N, «foo()]}}", "something else than numbers"),
    ("module", "require", "require: {shapes: {weight: [N, «[K]]}}", "one value"),
    ("module", "require", "require: {shapes: {weight: [N, «1.5]}}", "whole number"),
    ("module", "require", "require: {shapes: {weight: [N, «99999999999999]}}", "K/16"),
    ("module", "require", "require: {shapes: {weight: [«N*M]}}", "cannot be solved"),
    ("module", "require", "require: {config: {«.a: 1}}", "not a key of the configuration"),
    ("checkpoint", "require", "require: {«nan: 0}", "`nan` is not about a checkpoint"),
    ("checkpoint", "require", "require: {«present: [weight]}", "not about a checkpoint"),
    ("checkpoint", "require", "require: {config: «{}}", "`config` is empty"),
    ("checkpoint", "require", "require: {config: {hidden_size: {at_least: «lots}}}", "compares numbers"),
    ("checkpoint", "require", "require: {config: {hidden_size: {at_least: «true}}}", "compares numbers"),
    ("checkpoint", "require", "require: {config: {hidden_size: «[1, 2]}}", "range or a choice"),
    ("checkpoint", "require", "require: {config: {eps: «1e-5}}", "write 1.0e-05"),
    ("fact", "require", "«require: {nan: 0}", "a rule about a fact has no `require`|`when`"),
    ("fact", "for", "«for: {kind: scale}", "a rule about a fact has no `for`"),
    ("fact", "each", "«each: tensor", "a rule about a fact has no `each`"),
    ("fact", "when", "when: {«modul: a}", "did you mean `module`"),
    ("fact", "when", "when: {part: «block_scales}", "did you mean `block_scale`"),
    ("fact", "when", "when: «part", "must be a mapping"),
    # -- expressions
    ("tensor", "require", "require: {that: «3}", "must be text"),
    ("tensor", "require", 'require: {that: "«nans == 0"}', "not a field of a tensor|did you mean `nan`"),
    ("tensor", "require", 'require: {that: "nan == 0 and «infs == 0"}', "did you mean `inf`"),
    ("tensor", "require", 'require: {that: "«abs(nan) == 0"}', "not allowed|cannot be called"),
    ("tensor", "require", "require: {that: \"«__import__('os') == 0\"}", "not allowed"),
    ("tensor", "require", 'require: {that: "«shape.__class__ == 0"}', "not a field"),
    ("tensor", "require", 'require: {that: "«nan ** 9 == 0"}', "no powers"),
    ("tensor", "require", 'require: {that: "(«lambda: 1) == nan"}', "not allowed"),
    ("tensor", "require", 'require: {that: "«[x for x in shape] == nan"}', "not allowed"),
    ("tensor", "require", 'require: {that: "«nan << 1 == 2"}', "not allowed"),
    ("tensor", "require", 'require: {that: "nan == «99999999999999999999"}', "is not allowed|2^53"),
    ("tensor", "require", "require: {that: \"«'a' * 9 == nan\"}", "is a text"),
    ("tensor", "require", 'require: {that: "nan == 1 + «dtype"}', "is a text"),
    ("tensor", "require", 'require: {that: "«nan == dtype"}', "compares a number with a text"),
    ("tensor", "require", "require: {that: \"dtype == «'FP16'\"}", "did you mean `F16`"),
    ("tensor", "require", "require: {that: \"part == «'blockscale'\"}", "did you mean `block_scale`"),
    ("tensor", "require", "require: {that: \"dtype in «['F16', 'BF17']\"}", "`BF17`|did you mean `BF16`"),
    ("tensor", "require", 'require: {that: «"nan"}', "not a comparison"),
    ("tensor", "require", 'require: {that: "not «nan"}', "comparison is needed"),
    ("tensor", "require", 'require: {that: "«1 == 1"}', "compares constants"),
    ("tensor", "require", 'require: {that: "True"}', "looks at nothing"),
    ("tensor", "require", 'require: {that: «"nan = 0"}', "cannot read the expression"),
    ("tensor", "require", 'require: {that: «"nan == 0 &&"}', "and/or/not"),
    ("tensor", "require", 'require: {that: "«nan is 0"}', "`is` is not allowed"),
    ("tensor", "require", 'require: {that: "«shape[nan] == 0"}', "an index is a whole number"),
    ("tensor", "require", 'require: {that: "«config.hidden_size == 4"}', "not a field of a tensor"),
    ("tensor", "require", 'require: {that: «"' + "nan == 0 or " * 40 + 'nan == 1"}', "longer than 400"),
    ("module", "require", 'require: {that: "«weigth.shape[0] == 4"}', "did you mean `weight`"),
    ("module", "require", 'require: {that: "«weight.shap[0] == 4"}', "did you mean `shape`"),
    ("module", "require", 'require: {that: "«weight == 4"}', "part.field"),
    ("module", "require", 'require: {that: "«zero_point.shape[0] == 4"}', "no scheme that the rule's `for` allows"),
    ("module", "require", "require: {that: \"weight.dtype == «'FP8'\"}", "`FP8` is no value"),
    ("checkpoint", "require", 'require: {that: "«hidden_size > 4"}', "config.hidden_size"),
    # -- messages
    ("tensor", "message", 'message: "«{nans} are NaN"', "did you mean `nan`"),
    ("tensor", "message", 'message: "«{nan:d} are NaN"', "cannot be read|{name:%}"),
    ("tensor", "message", 'message: "«{nan.__class__} are NaN"', "does not have"),
    ("tensor", "message", 'message: "«{} are NaN"', "cannot be read"),
    ("tensor", "message", 'message: "«{nan|} are NaN"', "cannot be read|{name|words}"),
    ("tensor", "remedy", 'remedy: "set «{scale|the scale} to 1"', "does not have"),
    ("tensor", "message", 'message: "«{nan are NaN"', "cannot be read"),
    ("tensor", "message", 'message: "nan«} are NaN"', "cannot be read"),
    ("tensor", "effect", 'effect: "«{nam} of them"', "did you mean `nan`"),
    ("tensor", "remedy", 'remedy: "set «{scale} to 1"', "does not have"),
    ("module", "message", 'message: "«{weight.shap}"', "did you mean `shape`"),
    ("module", "message", 'message: "«{wieght.shape}"', "did you mean `weight`"),
    ("module", "message", 'message: "«{nan}"', "does not have"),
    ("checkpoint", "message", 'message: "«{hidden_size}"', "does not have"),
    ("fact", "message", 'message: "{module} has no «{prat}"', "did you mean `part`"),
    # -- examples
    ("tensor", "bad", "bad: «[]", "no example"),
    ("tensor", "bad", "bad: «{says: x}", "must be a list"),
    ("tensor", "good", "good: [«nothing]", "must be a mapping"),
    ("tensor", "bad", 'bad: [«{model.safetensors: {a: "F32[]"}}]', "says what must be said"),
    ("tensor", "bad", "bad: [«{says: NaN}]", "at least one file"),
    ("tensor", "bad", 'bad: [{model.safetensors: {a: "F32[]"}, «say: NaN}]', "did you mean `says`"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F32[]"}, «says: NaN}]', "nothing is said about a good example"),
    ("tensor", "good", 'good: [{«model.safetensor: {a: "F32[]"}}]', "did you mean `model.safetensors`"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "«FP32[]"}}]', "did you mean `F32`"),
    ("tensor", "good", "good: [{model.safetensors: {a: «F32}}]", "DTYPE[shape]"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F32«[4 4]"}}]', "not a shape"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F32«[4,,4]"}}]', "not a shape"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F32«[-4]"}}]', "not a shape"),
    ("tensor", "good", 'good: [{model.safetensors: {a: «"F32[9999, 9999]"}}]', "at most 1,048,576 bytes"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F32[4] = «big"}}]', "is not a value of F32"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F8_E4M3[4] = «0x17F"}}]', "hex of 1 byte"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F32[4] = 0; «[4] = 1"}}]', "beyond the tensor"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F32[4] = 0; «[3..1] = 1"}}]', "is empty"),
    ("tensor", "good", 'good: [{model.safetensors: {a: "F32[2] = «1, 2, 3"}}]', "do not fit"),
    ("tensor", "good", "good: [{model.safetensors: {raw: «xyz}}]", "not hex"),
    ("tensor", "good", 'good: [{model.safetensors: {tensors: {}, append: «"0"}}]', "not hex"),
    ("tensor", "good", "good: [{model.safetensors: {tensors: {}, cut: «999}}]", "whole number"),
    ("tensor", "good", 'good: [{model.safetensors: {header: "{}", data: «-1}}]', "whole number"),
    ("tensor", "good", 'good: [{model.safetensors: {header: "{}", data: «99999999999}}]', "whole number"),
    ("tensor", "good", 'good: [{model.safetensors: {header: "{}", «metadata: {}}}]', "does not go with `header`"),
    ("tensor", "good", "good: [{config.json: {a: «1e-3}}]", "must be a number"),
    ("tensor", "good", "good: [{config.json: {a: «012}}]", "base 8"),
    ("tensor", "good", "good: [{config.json: {a: 1, «a: 2}}]", "given twice"),
    # -- schemes
    ("scheme", "part", "«part: {}", "did you mean `parts`"),
    ("scheme", "summary", "", "has no `summary`"),
    ("scheme", "parts", "parts: «{}", "is empty"),
    ("scheme", "parts", "parts: {«wieght: {name: '{module}.w', dtype: U8}}", "did you mean `weight`"),
    ("scheme", "parts", "parts: {«my part: {name: '{module}.w', dtype: U8}}", "not a name for a part"),
    ("scheme", "parts", "parts: {weight: {«nam: '{module}.w', dtype: U8}}", "did you mean `name`"),
    ("scheme", "parts", "parts: {weight: «{name: '{module}.w'}}", "has no `dtype`"),
    ("scheme", "parts", "parts: {weight: {name: «weight, dtype: U8}}", "begins with `{module}`"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: «FP4}}", "is not a dtype|did you mean `F4`"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: «[]}}", "an empty list"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, shape: [N, «K//2]}}", "something else"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, shape: [N, «1e3]}}", "K/16|dimension"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, shape: {«rows: [N]}}}", "one scale covers"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, holds: «f4}}", "did you mean `fp4`"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, holds: {«I8: fp4}}}", "not among the dtypes"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, order: «low}}", "is not an order"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, sign: «plus}}", "is not a sign"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, needed: «sometimes}}", "is not a word for"),
    ("scheme", "parts", "parts: «{weight: {name: '{module}.w', dtype: U8, scales: block_scale}}", "no part of this"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, scales: «weight}}", "does not scale itself"),
    (
        "scheme",
        "parts",
        "parts:\n  weight: {name: '{module}.w', dtype: U8}\n  bias: {name: «'{module}.w', dtype: U8}",
        "same tensor name",
    ),
    ("scheme", "symbols", "symbols: {«G: {usual: [16]}}", "no shape uses the symbol `G`"),
    ("scheme", "symbols", "symbols: {K: {«usuals: [16]}}", "did you mean `usual`"),
    ("scheme", "symbols", "symbols: {K: {usual: [«0]}}", "whole numbers from 1"),
    ("scheme", "symbols", "symbols: {K: {declared: «groupsize}}", "did you mean `group_size`"),
    ("scheme", "declared", "declared: {«methd: mine}", "did you mean `method`"),
    ("scheme", "declared", "declared: «{algorithm: X}", "names a `method`"),
    ("scheme", "decode", "decode: weight * «blockscale", "did you mean `block_scale`"),
    ("scheme", "decode", "decode: {one: weight, two: weight * «blockscale}", "did you mean `block_scale`"),
    ("scheme", "decode", "decode: weight * «J; words after it are free", "`J` is no part of this scheme"),
    ("scheme", "decode", "decode: {one: «[weight]}", "a formula"),
    ("scheme", "quantized", "quantized: «maybe", "true or false"),
    ("scheme", "good", 'good: [{model.safetensors: {a: "«FP8[4]"}}]', "is not a dtype"),
    ("scheme", "described", "described: «{key: '{module}.weight', field: x}", "has no `values`"),
    ("scheme", "described", "described: {key: «weight, field: x, values: y}", "begins with `{module}`"),
    ("scheme", "elements", "elements: N*«Q", "no shape uses the symbol `Q`"),
    ("scheme", "elements", "elements: «N//2", "something else"),
    ("scheme", "good", "", "has no `good`|`parts`, `bad`, `good`"),
    ("scheme", "bad", "", "has no `bad`"),
    ("scheme", "bad", "bad: «[]", "`bad` has no example"),
    ("scheme", "good", "good: «[]", "`good` has no example"),
    ("scheme", "bad", "bad: [«{but: {a.my_scale: dropped}}]", "names the rule"),
    ("scheme", "bad", "bad: [{but: {«a.my_scal: dropped}, rule: x}]", "has no `a.my_scal`|did you mean `a.my_scale`"),
    ("scheme", "bad", 'bad: [{but: {a.my_scale: "«FP8[4]"}, rule: x}]', "is not a dtype"),
    ("scheme", "bad", "bad: [{but: {a.my_scale: dropped}, rule: x, «says: y}]", "unknown key `says`"),
    ("scheme", "bad", 'bad: [«{model.safetensors: {a: "F32[4]"}}]', "says what must be said"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, telling: «no}}", "true or false"),
    (
        "scheme",
        "parts",
        "parts: {weight: {name: '{module}.w', dtype: I32, shape: [N, K], packs: [N*«b]}}",
        "no shape uses the symbol `b`",
    ),
    (
        "scheme",
        "parts",
        "parts: {weight: {name: '{module}.w', dtype: I32, shape: [N, K], packs: [«K//2]}}",
        "uses something else",
    ),
    (
        "scheme",
        "parts",
        "parts: {weight: {name: '{module}.w', dtype: I32, shape: [N, K], integers: {«bits: b}}}",
        "no shape uses the symbol `b`",
    ),
    (
        "scheme",
        "parts",
        "parts: {weight: {name: '{module}.w', dtype: I32, integers: «{signed: true}}}",
        "has no `bits`",
    ),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: I32, constant: «1}}", "must be a list"),
    ("scheme", "parts", "parts: {weight: {name: '{module}.w', dtype: U8, json: «text}}", "object"),
    # -- what a rule is about
    ("fact", "about", "about: «file", "did you mean `files`"),
    ("fact", "about", "about: «[files]", "must be text"),
    ("fact", "awaits", "awaits: «shard", "did you mean `shards`"),
    ("fact", "awaits", "awaits: «true", "reads `true` as yes/no"),
    # -- dialects
    ("dialect", "places", "", "has no `places`"),
    ("dialect", "place", "«place: []", "did you mean `places`"),
    ("dialect", "places", "places: «[]", "at least one place"),
    ("dialect", "places", "places: [«{at: x}]", "names a `file`"),
    ("dialect", "places", "places: [{file: «config.yaml}]", "JSON file"),
    ("dialect", "places", "places: [{file: «sub/config.json}]", "JSON file"),
    ("dialect", "places", "places: [{file: «../config.json}]", "JSON file"),
    ("dialect", "places", "places: [{file: «'..\\config.json'}]", "JSON file"),
    ("dialect", "places", "places: [{file: «.json}]", "JSON file"),
    ("dialect", "places", "places: [{file: «..json}]", "JSON file"),
    ("dialect", "places", "places: [{file: «'config.json '}]", "JSON file"),
    ("dialect", "places", "places: [{file: «model.safetensors.index.json}]", "JSON file"),
    ("dialect", "places", "places: [{«files: config.json}]", "did you mean `file`"),
    ("dialect", "places", "places: [{file: config.json, at: «a..b}]", "path of keys"),
    ("dialect", "matching", "matching: [«globs]", "did you mean `glob`"),
    ("dialect", "fields", "fields: {«algoritm: [x]}", "did you mean `algorithm`"),
    ("dialect", "fields", "fields: {bits: «a..b}", "path of keys"),
    ("dialect", "fields", "fields: {«targets: t}", "unknown key `targets`"),
    ("dialect", "fields", "fields: {«groups: g}", "what stands in a group"),
    ("dialect", "fields", "fields: {«activation_dynamic: a.dynamic}", "where the settings of activations are"),
    ("dialect", "group", "«group: {targets: t}", "where the groups are"),
    ("dialect", "group", "fields: {groups: g}\ntargets: exact\n«group: {bits: b}", "a group has targets"),
    ("dialect", "group", "fields: {groups: g}\n«group: {targets: t}", "a group has targets"),
    ("dialect", "group", "fields: {groups: g}\ntargets: exact\ngroup: {targets: t, bits: «b.}", "path of keys"),
    ("dialect", "group", "group: {«bit: b}", "did you mean `bits`"),
    ("dialect", "targets", "targets: [«globs]", "did you mean `glob`"),
    ("dialect", "module", "module: {«weights: w}", "did you mean `weight`"),
    ("dialect", "exceptions", "«exceptions: exact", "add `exceptions` to `fields`"),
    ("dialect", "unfinished", "«unfinished: frozen", "add `status` to `fields`"),
    ("dialect", "mixed", "«mixed: several", "add `format` to `fields`"),
    ("dialect", "powers_of_two", "«powers_of_two: {e8: weight_scale}", "add `scale_format` to `fields`"),
    ("dialect", "powers_of_two", "powers_of_two: {e8: «weigth_scale}", "did you mean `weight_scale`"),
    ("dialect", "lists", "lists: «completed", "did you mean `complete`"),
    ("dialect", "activations", "activations: {FP8: «statik}", "did you mean `static`"),
    ("dialect", "trust_activations", "trust_activations: «no", "true or false"),
    # -- families
    ("family", "roles", "roles: {«routr: [a]}", "did you mean `router`"),
    ("family", "roles", 'roles: {router: [«"(a|b)"]}', "is not a glob"),
    ("family", "fused", "fused: [«[q_proj]]", "at least two"),
    ("family", "fused", 'fused: [[«"*.q_proj", k_proj]]', "last component"),
    ("family", "counts", "counts: {«layer: [n]}", "did you mean `layers`"),
    ("family", "linear", "linear: {roles: [«attentoin]}", "did you mean `attention`"),
    ("family", "linear", "linear: {«role: [mlp]}", "did you mean `roles`"),
    ("family", "ends", "ends: {«norm: norm}", "one of: embedding, final_norm, head"),
    ("family", "experts", "experts: {named: «mlp.experts}", "last component"),
    ("family", "kv_cache", "kv_cache: {pair: «[k_proj]}", "two different modules"),
    ("family", "kv_cache", "kv_cache: {pair: «[k_proj, k_proj]}", "two different modules"),
    ("family", "equal", "equal: «{a: rows, b: rows}", "must be a list"),
    ("family", "equal", "equal: [«{a: rows}]", "at least two sides"),
    ("family", "equal", "equal: [{a: rows, b: «row}]", "did you mean `rows`"),
    ("family", "equal", "equal: [{a: rows, «m..b: rows}]", "end of a module"),
    ("family", "in_ratio", "in_ratio: [«{a: rows, b: rows, c: rows}]", "are two sides"),
    ("family", "rows", "rows: {«'(a|b)': heads}", "is not a glob"),
    ("family", "rows", "rows: {'*.q': «head*head_size}", "did you mean `heads`"),
    ("family", "rows", "rows: {'*.q': 2*«headsize}", "did you mean `head_size`"),
    ("family", "rows", "rows: {'*.q': «heads//2}", "uses something else"),
    ("family", "rows", "rows: {'*.q': «'64'}", "counts nothing"),
    ("family", "names", "names: {«inner: [model]}", "unknown key `inner`"),
    ("family", "names", "names: {once: [«a.b]}", "last component"),
    ("family", "config", "config: {generates: [«'(A|B)']}", "is not a glob"),
    ("family", "optional", 'optional: [«"a[b"]', "never closed"),
    ("family", "model_types", "model_types: «[]", "an empty list"),
    ("family", "roles", "model_types: llama", "says nothing about its models"),
    # -- producers
    ("producer", "defects", "", "has no `defects`"),
    ("producer", "defects", "defects: [{rules: [«scales/nam], says: x}]", "did you mean `scales/nan`"),
    ("producer", "defects", 'defects: [{rules: [scales/nan], before: «"soon", says: x}]', "is not a version"),
    ("producer", "defects", "defects: [{rules: [scales/nan], before: «0.47, says: x}]", "as a number"),
    ("producer", "defects", 'defects: [{rules: [scales/nan], says: "since «{versoin}"}]', "only field is {version}"),
    ("producer", "defects", "defects: [«{rules: [scales/nan]}]", "has no `says`"),
    ("producer", "defects", "defects: [{rules: [scales/nan], says: x, «befor: y}]", "did you mean `before`"),
]

# whole files, words that must be said
FILES = [
    ("«", "the file is empty"),
    ("«# only a comment\n", "the file is empty"),
    ("«- a\n- b\n", "is a mapping"),
    ("«just text\n", "is a mapping"),
    ("summary: a\nsummary: b«: c\n", "quote a text that holds"),
    ("summary: a\n«---\nsummary: b\n", "one YAML document"),
    ("summary: «&x a\nwhy: b\n", "anchors and aliases"),
    ("summary: a\nwhy: «*x\n", "anchors and aliases|alias"),
    ("summary: «!!python/object:os.system a\n", "tags are not allowed"),
    ("summary: «!include a\n", "tags are not allowed"),
    ("severity: error\n«<<: {summary: a}\n", "merge keys"),
    ("severity: error\n«severity: note\n", "given twice"),
    ("severity: error\n«on: x\n", "reads `on` as yes/no"),
    ("severity: error\n«1: x\n", "as a number"),
    ("severity: error\n? «[a]\n: b\n", "must be text|not a list"),
    ("severity: error\nwhy: «[a, b\n", "closed"),
    ('severity: error\nwhy: «"a\n', "closed"),
    ("severity: error\n«\twhy: x\n", "tabs"),
    ("severity: error\nwhy: «%x\n", "quote"),
    ("severity: error\nwhy: «@x\n", "quote"),
    ("severity: error\nwhy: a«\x00b\n", "U+0000"),
    ("severity: error\nwhy: a«\x1b[31m\n", "U+001B"),
    ("severity: error\nwhy: " + "[" * 23 + "«[" + "]" * 24 + "\n", "nested deeper than 24"),
    ("severity: error\n  why«: x\n", "mapping values|not YAML"),
    ("sumary: a\n«sevrity: error\n", "unknown key"),
    ("«x: 1\ny: 2\n", "no rule, scheme, dialect, family, producer or engine"),
]


def written(base: dict[str, str], key: str, text: str) -> str:
    lines = {k: v for k, v in base.items() if k != key}
    if text:
        lines = {key: text, **lines} if text.startswith("«") else {**lines, key: text}
    return "\n".join(lines.values()) + "\n"


def place_of(text: str) -> tuple[str, str]:
    """The text without its mark, and `line:column` of the mark."""
    before, mark, after = text.partition("«")
    return before + after, f"{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}" if mark else ""


@pytest.fixture(scope="module")
def book():
    return load_book()


def error_of(text: str, book) -> str:
    known = Known(dict(book.schemes), dict(book.rules))
    with pytest.raises(RuleFileError) as caught:
        top = read(text, "my.yaml")
        kind = kind_of(top)
        kind.made(top, "my", known)
        kind.refer(top, known)
    return str(caught.value)


def check(text: str, says: str, book) -> None:
    text, place = place_of(text)
    error = error_of(text, book)
    assert any(words in error for words in says.split("|")), error
    found = re.search(r"--> my\.yaml:(\d+:\d+)", error)
    assert found, error
    if place:
        assert found[1] == place, error
    if len(text) > 1:
        assert "^" in error, error


@pytest.mark.parametrize("base", BASES)
def test_the_bases_are_right(base, book):
    text = written(BASES[base], "", "")
    top = read(text, "my.yaml")
    kind = kind_of(top)
    assert kind.name == (base if base in ("scheme", "dialect", "family", "producer") else "rule")
    known = Known(dict(book.schemes), dict(book.rules))
    kind.made(top, "my", known)
    kind.refer(top, known)


@pytest.mark.parametrize(("base", "key", "text", "says"), CASES, ids=[f"{c[0]}: {c[2][:60]}" for c in CASES])
def test_a_mistake_is_shown_at_its_place(base, key, text, says, book):
    check(written(BASES[base], key, text), says, book)


@pytest.mark.parametrize(("text", "says"), FILES, ids=[repr(t[:40]) for t, _ in FILES])
def test_a_file_outside_the_subset_of_yaml(text, says, book):
    check(text, says, book)


def test_a_large_file_is_refused_before_it_is_read(book):
    error = error_of("summary: a\n" + "#" * 70_000, book)
    assert "65,536" in error
    assert "my.yaml:1:1" in error


def test_bytes_that_are_no_text_have_a_place():
    with pytest.raises(RuleFileError, match=r"byte 0xff is not UTF-8(.|\n)*my\.yaml:2:6"):
        read(b"summary: a\nwhy: \xff\n", "my.yaml")


def test_control_characters_of_names_and_paths_are_not_repeated(book):
    with pytest.raises(RuleFileError) as caught:
        read('"\\e[31m": 1\n"\\e[31m": 2\n', "a\x1b.yaml").mapping("x")
    assert "\x1b" not in str(caught.value)


def test_the_whole_error_as_people_see_it(book):
    text = written(TENSOR_RULE, "require", "require: {zero_share: {below: 1e-3}}")
    assert error_of(text, book) == (
        "`zero_share` must be a number, not `1e-3`\n"
        " --> my.yaml:7:31\n"
        "  |\n"
        "7 | require: {zero_share: {below: 1e-3}}\n"
        "  |                               ^^^^\n"
        "  = help: YAML 1.1 reads it as text; write 0.001"
    )


def test_line_numbers_agree_with_editors_over_odd_line_ends(tmp_path: Path, book):
    error = error_of("summary: a\r\nseverity: error\r\nwhy: on\r\nmessage: b\r\n", book)
    assert "has no `bad`" in error
    error = error_of('summary: "a\u2028b"\nseverity: eror\n', book)
    assert "my.yaml" in error


def test_there_are_enough_cases():
    assert len(CASES) + len(FILES) > 200
