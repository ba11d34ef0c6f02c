"""Recognise what a file under a `.safetensors` name really is, from its first bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..facts import Fact, FactKind

STATES: Mapping[str, FactKind] = {
    "lfs-pointer": FactKind("A Git-LFS pointer stands where the shard should be.", ("oid", "real_size", "size")),
    "wrong-file-type": FactKind("The file is something else than safetensors.", ("what", "start", "size")),
    "zeroed-head": FactKind("The file begins with zero bytes: its header was never written.", ("zeros", "size")),
}

_POINTER = re.compile(rb"\Aversion https?://[^\n]{1,200}\n(?:[a-z0-9.-]+ [^\n]*\n)*?oid sha256:([0-9a-f]{64})\n")
_POINTER_SIZE = re.compile(rb"^size (\d{1,18})$", re.MULTILINE)

# Magic numbers, longest first where one is a prefix of another.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive, as torch.save writes it"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"GGUF", "a GGUF file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array file"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x7fELF", "an ELF program"),
    (b"\x08\x07\x06\x05\x04\x03\x02\x01", "a TensorFlow checkpoint"),
)
_PICKLE = re.compile(rb"\A\x80[\x02-\x05][\x80-\xff}c(K].", re.DOTALL)
_PAGE = "an HTML or XML page, such as a server's error message"
_TEXT = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(<!doctype html|<html|<\?xml|<!DOCTYPE|<error)", re.IGNORECASE)


def sniff(head: bytes, size: int) -> Fact | None:
    """A fact if the first bytes of a file (up to 1 KiB) are not a safetensors file at all, else None."""
    # A header length may well look like another format: gzip's magic number is also a header of 35,615 bytes.
    if int.from_bytes(head[:8], "little") <= size - 8 and head[8:].lstrip(b" \t\r\n")[:1] in (b"{", b""):
        return None

    def fact(kind: str, values: Mapping[str, Any]) -> Fact:
        return Fact(kind, offset=0, values={**values, "size": size})

    pointer = _POINTER.match(head) if size < 4096 else None
    if pointer:
        real = _POINTER_SIZE.search(head)
        oid = pointer.group(1).decode()
        return fact("lfs-pointer", {"oid": oid, "real_size": int(real.group(1)) if real else None})
    start = head[:16].hex(" ")
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return fact("wrong-file-type", {"what": what, "start": start})
    if _TEXT.match(head):
        return fact("wrong-file-type", {"what": _PAGE, "start": start})
    if _PICKLE.match(head):
        return fact("wrong-file-type", {"what": "a pickle file", "start": start})
    if size >= 16 and len(head) >= 16 and not any(head[:16]):
        zeros = len(head) - len(head.lstrip(b"\0"))
        return fact("zeroed-head", {"zeros": zeros})
    # A header length is small, so its upper bytes are zero; printable text in all eight is text, not a length.
    if len(head) >= 8 and all(32 <= b < 127 or b in b"\r\n\t" for b in head[:8]):
        if head.lstrip()[:1] == b"{":
            return fact("wrong-file-type", {"what": "JSON text without the 8-byte header length", "start": start})
        text = head[:40].decode("latin-1").splitlines()[0]
        return fact("wrong-file-type", {"what": f"text that begins with {text!r}", "start": start})
    return None


def what_else(head: bytes) -> str:
    """What the first bytes of a JSON file are where they are no JSON at all, in words; else nothing."""
    pointer = _POINTER.match(head)
    if pointer:
        return f"a Git-LFS pointer (sha256 {pointer.group(1).decode()[:12]}...), not the file it stands for"
    if _TEXT.match(head):
        return _PAGE
    if head and not any(head):
        return "nothing but zero bytes"
    return next((what for magic, what in _MAGIC if head.startswith(magic)), "")
