"""Tensors in memory read as the file that safetensors writes of them, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from tensorlint.container.header import read_header
from tensorlint.errors import UnfinishedError
from tensorlint.sources.tensors import DTYPES, FILE, TensorSource, stored_shape, stretch


def filled(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    size = torch.empty(shape, dtype=dtype).numel() * torch.empty(1, dtype=dtype).element_size()
    content = torch.arange(size, dtype=torch.int64).to(torch.uint8)
    if dtype == torch.bool:
        content %= 2
    return content.view(dtype).view(shape)


def all_dtypes() -> dict[str, torch.Tensor]:
    tensors = {f"t.{str(dtype)[6:]}": filled(dtype, 3, 8) for dtype in DTYPES}
    tensors |= {"scalar": torch.tensor(1.5), "empty": torch.empty(0, 4), 'ümlaut "quoted"': filled(torch.int16, 5)}
    return tensors


def test_the_file_is_the_one_that_safetensors_writes(tmp_path: Path) -> None:
    tensors = all_dtypes()
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    written = (tmp_path / "x.safetensors").read_bytes()
    file = TensorSource(tensors).open(FILE)
    assert file.read(0, file.size) == written
    assert TensorSource(tensors).files() == {FILE: len(written)}


@given(st.data())
def test_any_range_can_be_read(data: st.DataObject) -> None:
    file = TensorSource(all_dtypes()).open(FILE)
    begin = data.draw(st.integers(0, file.size))
    end = data.draw(st.integers(begin, file.size))
    assert file.read(begin, end - begin) == file.read(0, file.size)[begin:end]


def test_no_bytes_behind_the_end() -> None:
    file = TensorSource({"x": torch.zeros(4)}).open(FILE)
    with pytest.raises(UnfinishedError):
        file.read(file.size - 1, 2)


@st.composite
def strided(draw: st.DrawFn) -> torch.Tensor:
    """Views that no file holds as they are: transposed, stepped, expanded, cut out, of none or many elements."""
    shape = draw(st.lists(st.integers(0, 5), max_size=4))
    tensor = filled(draw(st.sampled_from([torch.uint8, torch.int16, torch.float32, torch.complex64])), *shape)
    for _ in range(draw(st.integers(0, 4))):
        dims = tensor.dim()
        if not dims:
            break
        one = draw(st.integers(0, dims - 1))
        kind = draw(st.sampled_from(["swap", "step", "cut", "expand", "conj"]))
        if kind == "swap":
            tensor = tensor.transpose(one, draw(st.integers(0, dims - 1)))
        elif kind == "step":
            tensor = tensor[(slice(None),) * one + (slice(None, None, 2),)]
        elif kind == "cut" and tensor.shape[one]:
            tensor = tensor.narrow(one, 1, tensor.shape[one] - 1)
        elif kind == "expand" and dims < 5:
            tensor = tensor.unsqueeze(0).expand(2, *tensor.shape)
        elif kind == "conj" and tensor.is_complex():
            tensor = tensor.conj()
    return tensor


@given(tensor=strided(), data=st.data())
def test_a_stretch_of_any_view_is_that_of_its_copy(device: Any, tensor: torch.Tensor, data: st.DataObject) -> None:
    content = torch.tensor(list(tensor.resolve_conj().numpy().tobytes()), dtype=torch.uint8)
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, len(content)))
    found = stretch(tensor.to(device) if device.type != "cpu" else tensor, begin, end)
    assert found.tolist() == content[begin:end].tolist()


def test_a_stretch_of_a_contiguous_tensor_is_a_view() -> None:
    tensor = torch.zeros(4, 4)
    assert stretch(tensor, 20, 40).data_ptr() == tensor.data_ptr() + 20


def test_what_cannot_be_read_is_known_by_name_and_has_no_bytes() -> None:
    source = TensorSource({"x": torch.zeros(4)}, unreadable={"y": ("BF16", (2, 8)), "z": ("U8", (1,))})
    header = read_header(source.open(FILE))
    assert [t.name for t in header.tensors] == ["x"]
    assert header.unusable == {"y", "z"}


@pytest.mark.skipif(not hasattr(torch, "float4_e2m1fn_x2"), reason="this torch has no packed type of 4 bits")
def test_packed_types_are_stated_with_their_values() -> None:
    assert stored_shape(filled(torch.float4_e2m1fn_x2, 3, 8)) == (3, 16)
