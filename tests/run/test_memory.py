"""A state dict gives the findings of the file it would be saved as; what cannot be read in memory is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, load_file, save_file
from torch import nn

import tensorlint
from tensorlint.errors import NoCheckpointError, UsageError
from tensorlint.measures.device import resident
from tensorlint.report.findings import Report
from tensorlint.rulebook.library import load_book
from tensorlint.run.memory import source_of

EXAMPLE = Path(__file__).parents[2] / "examples/llama-nvfp4-nan"


def said(report: Report) -> list[str]:
    """All that a report says about tensors, in a form that can be compared."""
    return [str(f) for f in report.to_dict()["findings"] if not f["rule"].startswith(("container/", "index/"))]


def examples() -> list[Any]:
    """Every example of every rule that is one sound shard with or without configs."""
    found = []
    for rule in load_book().rules.values():
        for number, example in enumerate((*rule.bad, *rule.good)):
            shards = [name for name in example.files if name.endswith(".safetensors")]
            if shards == ["model.safetensors"] and not rule.id.startswith(("container/", "index/")):
                found.append(pytest.param(example.files, id=f"{rule.id}-{number}"))
    return found


@pytest.mark.parametrize("files", examples())
def test_examples_of_rules_say_the_same_in_memory(files: dict[str, bytes], tmp_path: Path) -> None:
    try:
        tensors = load(files["model.safetensors"])
    except KeyError:  # safetensors.torch.load knows fewer dtypes than load_file
        (tmp_path / "x").write_bytes(files["model.safetensors"])
        tensors = load_file(tmp_path / "x")
    configs = {name: data for name, data in files.items() if name.endswith(".json")}
    for name, data in configs.items():
        (tmp_path / name).write_bytes(data)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    from_file, in_memory = tensorlint.check(tmp_path), tensorlint.check_state_dict(tensors, tmp_path)
    assert said(in_memory) == said(from_file)
    assert (in_memory.schemes, in_memory.bytes_total) == (from_file.schemes, from_file.bytes_total)


def example(device: Any = "cpu") -> dict[str, torch.Tensor]:
    return {name: tensor.to(device) for name, tensor in load_file(EXAMPLE / "model.safetensors").items()}


def test_a_real_export_on_any_device(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_on_host", resident.measure_on_device)  # the kernels for devices on the CPU too
    report = tensorlint.check_state_dict(example(device), EXAMPLE)
    assert said(report) == said(tensorlint.check(EXAMPLE))
    assert [f.rule for f in report.findings] == ["scales/nan"]
    assert report.complete
    assert report.origin == "memory"


def test_views_that_are_not_contiguous_are_read_as_they_would_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_ON_HOST", 4096)
    tensors = {n: t.t().contiguous().t() if t.dim() == 2 else t for n, t in example().items()}
    assert any(not t.is_contiguous() for t in tensors.values())
    assert said(tensorlint.check_state_dict(tensors, EXAMPLE)) == said(tensorlint.check(EXAMPLE))


def test_chunks_on_a_device_shrink_until_there_is_room(monkeypatch: pytest.MonkeyPatch, device: Any) -> None:
    real = torch.empty
    asked: list[int] = []

    def tight(size: int, **options: Any) -> Any:
        asked.append(size)
        if size > 100_000:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 32.00 MiB")
        return real(size, **options)

    monkeypatch.setattr(resident.torch, "empty", tight)
    monkeypatch.setattr(resident, "_on_host", resident.measure_on_device)
    tensor = torch.zeros(100_000, dtype=torch.bfloat16, device=device)
    tensor[77_777] = torch.nan
    report = tensorlint.check_state_dict({"model.layers.0.mlp.up_proj.weight": tensor}, select=["weights/nan"])
    assert [f.locations[0].index for f in report.findings] == [(77_777,)]
    assert max(asked) > 100_000


def test_a_device_without_room_stops_the_run_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 32.00 MiB")

    monkeypatch.setattr(resident.torch, "empty", full)
    monkeypatch.setattr(resident, "_on_host", resident.measure_on_device)
    report = tensorlint.check_state_dict({"a.weight": torch.zeros(8, 8)})
    assert "no memory left" in report.stopped


class Tied(nn.Module):
    """A decoder whose head is its embedding, as transformers ties them."""

    def __init__(self) -> None:
        super().__init__()
        self.lm_head = nn.Linear(8, 32, bias=False)
        self.model = nn.ModuleDict({"embed_tokens": nn.Embedding(32, 8), "norm": nn.LayerNorm(8)})
        self.lm_head.weight = self.model["embed_tokens"].weight


def test_tied_tensors_count_once() -> None:
    model = Tied()
    first, *_ = source_of(model).tensors
    assert (first, len(source_of(model).tensors)) == ("lm_head.weight", 3)  # nothing says which is the copy
    model._tied_weights_keys = ["lm_head.weight"]  # type: ignore[assignment]
    assert sorted(source_of(model).tensors) == ["model.embed_tokens.weight", "model.norm.bias", "model.norm.weight"]
    model._tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # type: ignore[assignment]
    assert "lm_head.weight" not in source_of(model).tensors


def test_slices_of_one_tensor_are_not_taken_for_copies() -> None:
    whole = torch.zeros(8, 4)
    assert len(source_of({"a": whole[:4], "b": whole[4:], "c": whole, "d": whole.t()}).tensors) == 4


class Wrapper(torch.Tensor):
    """A tensor made of others, as torchao makes them."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Wrapper:
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=torch.bfloat16)  # type: ignore[attr-defined]

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError(function)


class Part(Wrapper):
    """A tensor of which this process holds a part, like DTensor."""

    def to_local(self) -> torch.Tensor:
        raise AssertionError("nobody asks for the part")


@pytest.mark.parametrize(
    "value, reason",
    [
        (torch.empty(8, 8, device="meta", dtype=torch.bfloat16), "on the meta device"),
        (Wrapper(torch.zeros(8, 8)), "a Wrapper, a tensor made of others"),
        (Part(torch.zeros(8, 8)), "a Part, of which this process holds a part: gather it first"),
        (torch.eye(4).to_sparse(), "sparse_coo, which safetensors cannot hold"),
        (torch.zeros(4, dtype=torch.complex128), "complex128, which safetensors cannot hold"),
        ([1, 2], "a list, not a tensor"),
    ],
)
def test_what_has_no_bytes_is_a_gap_with_its_reason(value: Any, reason: str) -> None:
    state = example() | {"model.layers.0.self_attn.o_proj.weight": value}
    report = tensorlint.check_state_dict(state, EXAMPLE)
    assert [gap for gap in report.gaps if gap.startswith("model.layers.0.self_attn.o_proj.weight: ") and reason in gap]
    assert len(report.gaps) == 1
    assert not report.complete
    assert [f.rule for f in report.findings] == ["scales/nan"]  # nothing is called missing


def test_what_modules_keep_for_themselves_is_left_out() -> None:
    report = tensorlint.check_state_dict({"a.weight": torch.ones(4, 4), "a._extra_state": {"amax": 1}})
    assert (report.gaps, report.tensors) == ((), 1)


def test_a_model_on_the_meta_device_is_checked_by_names_and_shapes_of_nothing() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    report = tensorlint.check_state_dict(model)
    assert report.gaps == ("0.weight, 0.bias and 2 more: on the meta device, without values",)
    assert (report.findings, report.complete) == ((), False)


@pytest.mark.parametrize(("count", "named"), [(1, "0"), (2, "0, 1"), (3, "0, 1 and 1 more")])
def test_two_names_of_what_cannot_be_read_are_given(count: int, named: str) -> None:
    report = tensorlint.check_state_dict({str(n): "text" for n in range(count)} | {"a.weight": torch.ones(4, 4)})
    assert report.gaps == (f"{named}: a str, not a tensor",)


class Config:
    """A configuration as transformers has them."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def to_dict(self) -> dict[str, Any]:
        return self.values

    def to_json_string(self) -> str:
        return json.dumps(self.values)


@pytest.mark.parametrize(
    "config, files",
    [
        ({"model_type": "llama", "dtype": torch.bfloat16}, {"config.json": {"model_type": "llama", "dtype": "bfloat16"}}),
        (OrderedDict(quantization_config=Config(bits=4)), {"config.json": {"quantization_config": {"bits": 4}}}),
        (Config(model_type="qwen3"), {"config.json": {"model_type": "qwen3"}}),
        ({"config.json": {"a": 1}, "hf_quant_config.json": {"b": 2}}, {"config.json": {"a": 1}, "hf_quant_config.json": {"b": 2}}),
        ({}, {"config.json": {}}),
        (None, {}),
    ],
)  # fmt: skip
def test_kinds_of_config(config: Any, files: dict[str, Any]) -> None:
    found = source_of({"a": torch.zeros(1)}, config).configs
    assert {name: json.loads(data) for name, data in found.items()} == files


def test_a_config_may_be_a_path(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a": 1}')
    (tmp_path / "hf_quant_config.json").write_text('{"b": 2}')
    (tmp_path / "other.json").write_text('{"c": 3}')
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "quantize_config.json")  # never waited for
    state = {"a": torch.zeros(1)}
    assert source_of(state, tmp_path).configs == {"config.json": b'{"a": 1}', "hf_quant_config.json": b'{"b": 2}'}
    assert source_of(state, str(tmp_path / "other.json")).configs == {"config.json": b'{"c": 3}'}
    with pytest.raises(UsageError, match="no config at"):
        source_of(state, tmp_path / "nothing.json")


def test_a_model_brings_its_own_config() -> None:
    model = Tied()
    model.config = Config(model_type="llama")  # type: ignore[assignment]
    assert source_of(model).configs == {"config.json": b'{"model_type": "llama"}'}
    assert source_of(model, {"x": 1}).configs == {"config.json": b'{"x": 1}'}
    assert source_of(model).target == "Tied"


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: tensorlint.check_state_dict([torch.zeros(1)]), UsageError, "a list is neither a state dict nor"),
        (lambda: tensorlint.check_state_dict({"a": torch.zeros(1)}, 7), UsageError, "a int is no config"),
        (lambda: tensorlint.check_state_dict({"a": torch.zeros(1)}, depth="all"), UsageError, "no depth `all`"),
        (lambda: tensorlint.check_state_dict({"a": torch.zeros(1)}, select=["nan"]), UsageError, "nan"),
        (lambda: tensorlint.check_state_dict({}), NoCheckpointError, "no tensors"),
    ],
)
def test_wrong_use_is_a_sentence(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize("name", ["\ud800", "", "a\0b", "__metadata__", 7])
def test_odd_names_are_no_tracebacks(name: Any) -> None:
    report = tensorlint.check_state_dict({name: torch.full((4, 4), torch.nan), "b.weight": torch.ones(4, 4)})
    assert not report.stopped
    assert report.exit_code("error") == 1 or name == "__metadata__"


def test_depth_and_rules_are_those_of_check() -> None:
    assert tensorlint.check_state_dict(example(), EXAMPLE, depth="headers").findings == ()
    assert tensorlint.check_state_dict(example(), EXAMPLE, depth="scales").findings
    assert not tensorlint.check_state_dict(example(), EXAMPLE, ignore=["scales/nan"]).findings


def test_own_rules_are_read(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/no-a.yaml").write_text(
        "summary: S.\nseverity: error\nmessage: m\nfor: {tensor: [a]}\nrequire: {that: count < 0}\n"
        'bad: [{model.safetensors: {a: "F32[4]"}, says: m}]\ngood: [{model.safetensors: {b: "F32[4]"}}]\n'
    )
    state = {"a": torch.ones(4)}
    assert [f.rule for f in tensorlint.check_state_dict(state, rules=[tmp_path]).findings] == ["own/no-a"]
    assert tensorlint.check_state_dict(state).findings == ()


def test_a_parameter_that_wants_gradients_is_left_as_it_is() -> None:
    layer = nn.Linear(4, 4)
    report = tensorlint.check_state_dict({"a.weight": layer.weight})
    assert (report.tensors, layer.weight.requires_grad, layer.weight.grad) == (1, True, None)


def test_importing_tensorlint_imports_no_torch() -> None:
    code = "import sys, tensorlint; print(tensorlint.check_state_dict.__name__, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "check_state_dict False\n"
