"""The shipped rule files as one file of plain values, which is read at once in the place of hundreds of YAML files.

A first run writes it into the user's cache; it counts only for exactly these rule files and this reader of them.
"""

from __future__ import annotations

import marshal
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from ..measures.cachefolder import folder, mistrusted
from ..text import node as nodes
from ..text.about import VERSION
from ..text.node import Node

CACHED = "rulebook-*.bin"
_KEPT = 4  # files in the cache, of as many versions or checkouts
_MAGIC = b"tensorlint rulebook 1\n"
_SIZE = 32  # of a digest, in bytes
_LARGEST = 64 << 20
_PLAIN = 2  # the version of marshal without references, so that the same files give the same bytes
_READERS = ("node.py", "yamlread.py")  # what makes nodes of YAML

Sources = Mapping[str, bytes]  # the text of each rule file, by its name: the path in the folder, without the suffix
Tops = Mapping[str, Node]  # what each holds


def digest(sources: Sources) -> bytes:
    """What a compiled file must have been made of."""
    found = blake2b(_MAGIC + VERSION.encode(), digest_size=_SIZE)
    with suppress(OSError):  # a package without sources does not change either
        for name in _READERS:
            found.update(Path(nodes.__file__).with_name(name).read_bytes())
    for name, text in sorted(sources.items()):
        found.update(f"\0{name}\0{len(text)}\0".encode())
        found.update(text)
    return found.digest()


def pack(sources: Sources, tops: Tops) -> bytes:
    """The bytes of a compiled file."""
    body = marshal.dumps(tuple(tops.items()), _PLAIN)
    return _MAGIC + digest(sources) + blake2b(body, digest_size=_SIZE).digest() + body


def unpack(raw: bytes, made_of: bytes) -> Tops | None:
    """What a compiled file holds; None where it is damaged, or was made of anything else."""
    head = len(_MAGIC)
    body = raw[head + 2 * _SIZE :]
    if raw[:head] != _MAGIC or raw[head : head + _SIZE] != made_of:
        return None
    if raw[head + _SIZE : head + 2 * _SIZE] != blake2b(body, digest_size=_SIZE).digest():
        return None
    try:
        return dict(marshal.loads(body))
    except (ValueError, EOFError, TypeError):
        return None


def load(sources: Sources) -> Tops | None:
    """What the shipped files hold, from the compiled file in the user's cache; None without one."""
    made_of = digest(sources)
    path = _cached(made_of)
    try:
        if path is None or mistrusted(path):
            return None
        with path.open("rb") as file:
            return unpack(file.read(_LARGEST), made_of)
    except OSError:
        return None


def keep(sources: Sources, tops: Tops) -> None:
    """Write a compiled file into the user's cache, where that can be done."""
    path = _cached(digest(sources))
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".rulebook-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pack(sources, tops))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _forget(path.parent)


def _cached(made_of: bytes) -> Path | None:
    """Where the user's cache has the compiled file; None where it may not be used."""
    unwanted = os.environ.get("TENSORLINT_NO_CACHE", "").lower() not in ("", "0", "false", "no", "off", "n", "f")
    where = None if unwanted else folder()
    return None if where is None else where / CACHED.replace("*", made_of.hex()[:16])


def _forget(where: Path) -> None:
    """Remove the oldest."""
    found = sorted(where.glob(CACHED), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[_KEPT:]:
        path.unlink(missing_ok=True)
