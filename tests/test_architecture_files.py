"""Architecture files: every one is what rules/architectures/README.md says that it is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from architectures.check import CASE, INDEX, Config, compare, shape_of, spelled  # noqa: E402
from architectures.lang import UNKNOWN, compiled  # noqa: E402

FILES = sorted((ROOT / "rules" / "architectures").glob("*.yaml"))
TOP = {"type", "config", "aliases", "defaults", "derived", "indices", "layouts"}
LAYOUT = {"classes", "written", "assumes", "like", "rename", "without", "tensors", "ties", "ignored", "parts", "base"}
ROLES = {
    "linear", "head", "embedding", "norm", "router", "conv", "position", "state", "experts", "bias", "buffer", "other",
}  # fmt: skip


def read(path: Path) -> dict:
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_has_the_format(path):
    file = read(path)
    assert set(file) <= TOP
    assert file["type"] == path.stem
    assert re.fullmatch(r"[a-z0-9_-]+", path.stem)
    texts = [*file.get("derived", {}).values()]
    texts += [part for count in file.get("indices", {}).values() for part in str(count).split(" .. ") if part != "?"]
    for name, layout in file["layouts"].items():
        assert set(layout) <= LAYOUT, name
        assert layout["classes"] and layout["written"], name
        texts += layout.get("assumes", {}).values()
    seen = set()
    for layout in spelled(file):
        assert layout.lines, layout.name
        texts += [tie.partition(" if ")[2] or "true" for tie in layout.ties]
        for tie in layout.ties:
            assert set(tie.partition(" if ")[0].split(" = ")) <= set(layout.lines), tie
        for ignored in layout.ignored:
            re.compile(ignored)
        for pattern, text in layout.lines.items():
            assert set(INDEX.findall(pattern)) <= set(file.get("indices", {})), pattern
            if text in seen:
                continue
            seen.add(text)
            role, *flags = text.partition("[")[0].split()
            assert role in ROLES and set(flags) <= {"linear", "transposed"}, text
            for case in text.split(" | "):
                found = CASE.match(case[case.index("[") :])
                assert found, case
                texts.append(found["condition"] or "true")
                texts += [d for d in shape_of(found["shape"]) if d not in ("_", "...") and not d.startswith("?")]
    for text in set(map(str, texts)):
        compiled(text)


def config(file: dict, **own) -> Config:
    return Config(own, file)


def test_a_key_is_read_by_its_other_name_its_default_or_from_others():
    file = {
        "aliases": {"hidden_size": "n_embd"},
        "defaults": {"bias": True},
        "derived": {"head_dim": "n_embd // n_head"},
    }
    assert config(file, hidden_size=8).get("n_embd") == 8
    assert config(file).get("bias") is True
    assert config(file, bias=None).get("bias") is None
    assert config(file, n_embd=8, n_head=2, head_dim=None).get("head_dim") == 4
    assert config(file, n_embd=8, n_head=2).get("head_dim") == 4
    assert config(file).get("head_dim") is UNKNOWN


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a * b + 1", 13),
        ("b / 2", 2),
        ("b // a", 1),
        ("ceil(b, a)", 2),
        ("2 ** i", 4),
        ("sizes[i]", 7),
        ("sizes[i + 1]", UNKNOWN),
        ("int(b * ratio)", 6),
        ("gone", UNKNOWN),
        ("gone or b == 4", True),
        ("gone and b == 5", False),
        ("gone and b == 4", UNKNOWN),
        ("not i in chosen", False),
        ('kinds[i] == "full"', True),
        ("i % a == 2 and (i + 1) % a == 0", True),
        ("1 / (a - 3)", UNKNOWN),
    ],
)
def test_an_expression_is_evaluated_as_the_format_says(text, value):
    keys = {"a": 3, "b": 4, "sizes": [5, 6, 7], "ratio": 1.5, "chosen": [2], "kinds": ["x", "x", "full"]}
    got = compiled(text)(lambda key: keys.get(key, UNKNOWN), {"i": 2})
    assert got is value if value is UNKNOWN or isinstance(value, bool) else got == value


@pytest.mark.parametrize("text", ["__import__('os')", "a.b(", "a;b", "lambda: 1", "a = 1", "", "(a", "[a]"])
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ValueError):
        compiled(text)


TINY = {"hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "num_hidden_layers": 2, "vocab_size": 20}


def llama() -> tuple[dict, dict]:
    """The file of a plain decoder, and what a checkpoint of it holds under a small configuration."""
    layer = {
        "input_layernorm.weight": (8,), "post_attention_layernorm.weight": (8,), "mlp.down_proj.weight": (8, 12),
        "mlp.gate_proj.weight": (12, 8), "mlp.up_proj.weight": (12, 8),
        **{f"self_attn.{x}_proj.weight": (8, 8) for x in "qkvo"},
    }  # fmt: skip
    tensors = {f"model.layers.{i}.{name}": shape for i in range(2) for name, shape in layer.items()}
    tensors |= {"model.embed_tokens.weight": (20, 8), "model.norm.weight": (8,), "lm_head.weight": (20, 8)}
    return read(ROOT / "rules" / "architectures" / "llama.yaml"), tensors


def differences(tensors: dict, **more) -> tuple[list, list, list]:
    file, _ = llama()
    result = compare(spelled(file)[0], file, config(file, **TINY, **more), tensors)
    return result.missing, result.surplus, result.shapes


def test_a_sound_checkpoint_has_no_difference():
    assert differences(llama()[1]) == ([], [], [])


def test_a_tensor_that_is_missing_or_has_another_size_is_named():
    tensors = llama()[1]
    del tensors["model.layers.1.mlp.up_proj.weight"]
    tensors["model.layers.0.mlp.gate_proj.weight"] = (8, 12)
    missing, surplus, shapes = differences(tensors)
    assert missing == ["model.layers.1.mlp.up_proj.weight"] and surplus == []
    assert len(shapes) == 2 and all(s.startswith("model.layers.0.mlp.gate_proj.weight") for s in shapes)


def test_a_tied_head_may_be_missing_and_one_that_is_not_tied_may_not():
    tensors = llama()[1]
    del tensors["lm_head.weight"]
    assert differences(tensors, tie_word_embeddings=True) == ([], [], [])
    assert differences(tensors)[0] == ["lm_head.weight"]


def test_biases_are_there_where_the_configuration_says_so():
    assert len(differences(llama()[1], attention_bias=True)[0]) == 8
