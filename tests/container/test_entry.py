"""One entry of a header: its usual form, its problems, its size, and the dtype that was meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tensorlint.container.entry import bits_of, nearest_dtype, problem_of, usual
from tensorlint.container.jsontext import Pairs, parse
from tensorlint.dtypes import DTYPE_BITS

A_LIST, AN_OBJECT = "(a list in place of named fields)", "(an object in place of a dtype)"
PLAIN = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}


@pytest.mark.parametrize(
    ("text", "entry", "odd"),
    [
        (json.dumps(PLAIN), PLAIN, ""),
        ('["U8",[1],[0,1]]', PLAIN, A_LIST),
        ('[{"U8":null},[1],[0,1]]', PLAIN, A_LIST),
        ('["U8",[1]]', ["U8", [1]], ""),
        ('["U8",[1],[0,1],0]', ["U8", [1], [0, 1], 0], ""),
        ('{"dtype":{"U8":null},"x":1}', {"dtype": "U8", "x": 1}, AN_OBJECT),
        ('{"dtype":{"U8":1}}', {"dtype": {"U8": 1}}, ""),
        ('{"dtype":{}}', {"dtype": {}}, ""),
        ('{"dtype":{"U8":null,"I8":null}}', {"dtype": {"U8": None, "I8": None}}, ""),
        ('{"dtype":{"U8":null,"U8":null}}', {"dtype": {"U8": None}}, ""),
        ("{}", {}, ""),
        ("5", 5, ""),
    ],
)
def test_an_entry_in_its_usual_form(text: str, entry: Any, odd: str) -> None:
    assert usual(parse(text)) == (entry, odd)


def test_fields_given_twice_stay_known_in_the_usual_form() -> None:
    entry, odd = usual(parse('{"dtype":{"U8":null},"shape":[1],"shape":[2],"data_offsets":[0,1]}'))
    assert (odd, problem_of(entry)) == (AN_OBJECT, "`shape` is given twice")


def given(**changes: Any) -> Pairs:
    return Pairs({**PLAIN, **changes})


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (given(), ""),
        (given(shape=[]), ""),
        (given(shape=[0, (1 << 64) - 1], data_offsets=[0, (1 << 64) - 1]), ""),
        (given(shape=[1 << 64]), f"`shape` holds a number beyond 64 bits ({1 << 64})"),
        (given(data_offsets=[0, 1 << 64]), f"`data_offsets` holds a number beyond 64 bits ({1 << 64})"),
        (given(data_offsets=[-1, 0]), "`data_offsets` holds a negative number (-1)"),
        (given(data_offsets=[0]), "`data_offsets` is not a list of two numbers"),
        (given(data_offsets=[0, 1, 2]), "`data_offsets` is not a list of two numbers"),
        (given(data_offsets="01"), "`data_offsets` is not a list of two numbers"),
        (given(shape=["x" * 40]), f"`shape` holds a text ({'x' * 40}), not a whole number"),
        (given(shape=["x" * 41]), f"`shape` holds a text ({'x' * 40}), not a whole number"),
        (given(shape=[None]), "`shape` holds a null, not a whole number"),
        (given(shape=[Pairs()]), "`shape` holds a object, not a whole number"),
    ],
)
def test_an_entry_that_tells_no_dtype_shape_and_offsets_says_why(entry: Any, problem: str) -> None:
    assert problem_of(entry) == problem


@pytest.mark.parametrize(
    ("shape", "bits", "total"),
    [
        ([], 8, 8),
        ([3], 4, 12),
        ([2, 3, 4], 16, 384),
        ([0], 64, 0),
        ([(1 << 61) - 1], 8, (1 << 64) - 8),
        ([1 << 61], 8, None),
        ([1 << 63, 2], 4, None),
        ([1 << 63, 2, 0], 8, None),  # the crate multiplies in order, and overflows before it comes to the zero
        ([1 << 63, 0, 2], 8, 0),
        ([0, 1 << 63, 2], 8, 0),
    ],
)
def test_bits_of_a_tensor_overflow_as_they_do_in_the_crate(shape: list[int], bits: int, total: int | None) -> None:
    assert bits_of(shape, bits) == total


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("F8_E4M3FN", "F8_E4M3"),
        ("F8_E5M2FN", "F8_E5M2"),
        ("F8_E4M3FNUZ ", "F8_E4M3FNUZ"),
        ("f8e5m2fnuz", "F8_E5M2FNUZ"),
        ("e4m3", "F8_E4M3"),
        ("e5m2fnuz", "F8_E5M2FNUZ"),
        ("float8_e4m3fn", "F8_E4M3"),
        ("float8_e5m2fnuz", "F8_E5M2FNUZ"),
        ("torch.float8_e8m0fnu", "F8_E8M0"),
        ("torch.float4_e2m1fn_x2", "F4"),
        ("F4_E2M1", "F4"),
        ("fp4", "F4"),
        ("float6_e2m3fn", "F6_E2M3"),
        ("F6E3M2", "F6_E3M2"),
        ("torch.bfloat16", "BF16"),
        ("BFP16", "BF16"),
        ("jax.numpy.float16", "F16"),
        ("numpy.float32", "F32"),
        ("fp64", "F64"),
        ("uint8", "U8"),
        ("numpy.uint16", "U16"),
        ("U_32", "U32"),
        ("int8", "I8"),
        ("torch.int64", "I64"),
        ("complex64", "C64"),
        ("torch.bool", "BOOL"),
        ("boolean", "BOOL"),
        # The format has nothing of their width or kind: any name would mislead.
        ("int4", ""),
        ("torch.uint4", ""),
        ("complex128", ""),
        ("fp8", ""),
        ("half", ""),
        ("float", ""),
        ("", ""),
        ("." * 39 + "F32", ""),
        ("." * 37 + "F32", "F32"),
    ],
)
def test_an_unknown_dtype_names_the_one_that_was_meant(given: str, meant: str) -> None:
    assert nearest_dtype(given) == meant


@pytest.mark.parametrize("dtype", DTYPE_BITS)
def test_every_dtype_is_nearest_to_itself_in_lower_case(dtype: str) -> None:
    assert nearest_dtype(dtype.lower()) == dtype
