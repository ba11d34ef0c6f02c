"""Low-rank products that are zero: sound before training and where nothing reaches them, lost everywhere else."""

from __future__ import annotations

import json
import random
import struct

import pytest

from linted import check, rules_of
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.memory import MemorySource

BOOK = load_book()
RANK, COLUMNS, ROWS = 8, 64, 32
BOUND = COLUMNS**-0.5
Tensor = tuple[str, tuple[int, ...], bytes]


def matrix(rows: int, columns: int, kind: str, dtype: str = "F32") -> Tensor:
    """`linear` as torch initializes a layer, `normal` of 1 / rank, `trained` something else, or `zero`."""
    source = random.Random(f"{rows} {columns} {kind}")
    draw = {
        "linear": lambda: source.uniform(-BOUND, BOUND),
        "normal": lambda: source.gauss(0, 1 / RANK),
        "trained": lambda: source.gauss(0, 0.02),
        "moved": lambda: source.uniform(-BOUND, BOUND) + source.gauss(0, 0.01),
        "zero": lambda: 0.0,
    }[kind]
    values = [draw() for _ in range(rows * columns)]
    raw = struct.pack(f"<{len(values)}{'e' if dtype == 'F16' else 'f'}", *values)
    if dtype == "BF16":
        raw = b"".join(raw[i + 2 : i + 4] for i in range(0, len(raw), 4))
    return dtype, (rows, columns), raw


def said(
    halves: dict[str, tuple[str, str]], names: tuple[str, str], config: dict[str, object] | None, dtype: str
) -> list[str]:
    """The rules and tensors that are named; `halves` are the kinds of both by module."""
    tensors: dict[str, Tensor] = {}
    for module, (first, second) in halves.items():
        tensors[module + names[0]] = matrix(RANK, COLUMNS, first, dtype)
        tensors[module + names[1]] = matrix(ROWS, RANK, second, dtype)
    files = {"adapter_model.safetensors": write_shard(tensors)}
    if config is not None:
        files["adapter_config.json"] = json.dumps({"peft_type": "LORA", "r": RANK, **config}).encode()
    report = check(MemorySource(files), BOOK, rules_of(BOOK))
    return [f"{f.rule} {place.tensor}" for f in report.findings for place in f.locations]


PEFT = (".lora_A.weight", ".lora_B.weight")
KOHYA = (".lora_down.weight", ".lora_up.weight")
L = "base_model.model.model.layers"


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("names", [PEFT, KOHYA])
@pytest.mark.parametrize("first", ["linear", "normal"])
def test_an_adapter_before_training_is_sound(first: str, names: tuple[str, str], dtype: str) -> None:
    assert said({f"{L}.{n}.q_proj": (first, "zero") for n in range(3)}, names, None, dtype) == []


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("first", ["trained", "moved"])
def test_zeros_beside_a_half_that_was_trained_are_lost(first: str, dtype: str) -> None:
    found = said({f"{L}.{n}.q_proj": (first, "zero") for n in range(3)}, PEFT, None, dtype)
    assert found == [f"adapters/no-effect {L}.{n}.q_proj.lora_B.weight" for n in range(3)]


@pytest.mark.parametrize(
    "started, lost", [(True, True), ("gaussian", True), ("pissa", True), (False, True), ("eva", False), ("new", False)]
)
def test_how_an_adapter_began_decides_what_may_be_zero(started: object, lost: bool) -> None:
    found = said(
        {f"{L}.{n}.q_proj": ("trained", "zero") for n in range(3)}, PEFT, {"init_lora_weights": started}, "F32"
    )
    assert bool(found) == lost


def trained(*zero: str) -> dict[str, tuple[str, str]]:
    """Four layers of four modules, some of which are zero."""
    names = [f"{L}.{n}.{m}" for n in range(4) for m in ("q_proj", "k_proj", "v_proj", "o_proj")]
    return {name: ("trained", "zero" if any(name.endswith(z) for z in zero) else "trained") for name in names}


SINGLE: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "one": (("1.k_proj",), ["1.k_proj"]),
    "the first": (("0.q_proj",), ["0.q_proj"]),
    "several": (("0.q_proj", "2.v_proj"), ["0.q_proj", "2.v_proj"]),
    "a layer": (("1.q_proj", "1.k_proj", "1.v_proj", "1.o_proj"), ["1.q_proj", "1.k_proj", "1.v_proj", "1.o_proj"]),
    "one of the last layer": (("3.o_proj",), ["3.o_proj"]),
    "several of the last layer": (("3.q_proj", "3.o_proj"), []),
    "the last layer": (("3.q_proj", "3.k_proj", "3.v_proj", "3.o_proj"), []),
    "the same in every layer": (("q_proj", "k_proj"), []),
    "none": ((), []),
}


@pytest.mark.parametrize("name", SINGLE)
def test_single_modules_count_where_nothing_explains_them(name: str) -> None:
    zero, lost = SINGLE[name]
    wanted = [f"adapters/no-product {L}.{module}.lora_B.weight" for module in lost]
    assert sorted(said(trained(*zero), PEFT, None, "F32")) == sorted(wanted)


@pytest.mark.parametrize("name", [name for name, (zero, _) in SINGLE.items() if zero])
def test_in_a_language_model_with_a_head_every_module_is_reached(name: str) -> None:
    found = said(trained(*SINGLE[name][0]), PEFT, {"task_type": "CAUSAL_LM"}, "F32")
    assert {one.partition(" ")[0] for one in found} == {"adapters/no-product"}


def test_numbers_between_underscores_are_layers_too() -> None:
    start = "lora_unet_down_blocks_{}_attentions_0_transformer_blocks_0_{}"
    halves = {
        start.format(b, m): ("trained", "trained")
        for b in (1, 2)
        for m in ("attn1_to_q", "attn1_to_v", "ff_net_0_proj", "ff_net_2")
    }
    for zero in halves:
        found = said({**halves, zero: ("trained", "zero")}, KOHYA, None, "F16")
        assert found == [f"adapters/no-product {zero}.lora_up.weight"]


def test_experts_that_no_token_was_sent_to_are_sound() -> None:
    halves = {f"{L}.0.mlp.experts.{n}.up_proj": ("trained", "zero" if n == 1 else "trained") for n in range(4)}
    assert said(halves, PEFT, {"task_type": "CAUSAL_LM"}, "F32") == []
