"""Read the closed subset of YAML that rule files are written in.

No anchors, aliases, tags, merges or repeated keys; one document of at most 64 KiB, nested at most 24 deep.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from .node import MAPPING, MAX_BYTES, SEQUENCE, STRING, Node
from .place import BREAK, Text
from .yamltext import Item

MAX_NESTING = 24
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN: dict[str, list[tuple[str, re.Pattern[str]]]] = yaml.SafeLoader.yaml_implicit_resolvers
_ODD = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# piece of the parser's words -> what usually is behind it
_HINTS = (
    ("alphabetic or numeric", "quote a value that begins with * or &"),
    ("undefined alias", "quote a value that begins with *"),
    ("cannot start any token", "indent with spaces, never tabs, and quote a value that begins with % @ or `"),
    ("mapping values are not allowed", "quote a text that holds `: `, and give every key its own line"),
    ("chomping or indentation", "quote a value that begins with > or |; bounds are words such as at_least and below"),
    ("block scalar", "quote a value that begins with > or |; bounds are words such as at_least and below"),
    ("expected ':'", "a key is followed by a colon and a space"),
    ("end of stream", "a quote or bracket is never closed"),
    ("',' or '}'", "every { is closed by }; quote text that holds { } [ ] , or #"),
    ("',' or ']'", "every [ is closed by ]; quote text that holds { } [ ] , or #"),
    ("tab character", "indent with spaces, never tabs"),
    ("tag", "quote a value that begins with !"),
    ("expected key", "keys of one mapping begin in the same column; quote text that goes on after a quote"),
    ("block end", "keys of one mapping begin in the same column; quote text that goes on after a quote"),
)  # fmt: skip


def read(source: str | bytes, path: str) -> Item:
    """The top value of one YAML file, which is a mapping.

    Raises RuleFileError for anything outside the closed subset of YAML.
    """
    raw = source.encode() if isinstance(source, str) else source
    if len(raw) > MAX_BYTES:
        Text(path, ()).fail(0, 0, 1, f"the file has {len(raw):,} bytes or more; rule files have at most {MAX_BYTES:,}")
    text = _decoded(raw, path)
    whole = "\n".join(text.lines)
    try:
        node = _composed(whole, text)
    except yaml.MarkedYAMLError as error:
        place = _place(error, len(text.lines))
        problem = " ".join(str(p) for p in (error.problem or error, error.context) if p)
        hint = next((hint for piece, hint in _HINTS if piece in problem), "")
        line, column = (place.line, place.column) if place else (0, 0)
        text.fail(line, column, 1, f"this is not YAML: {problem}", hint)
    top = Item(node, text)
    if not top.is_map:
        top.fail("a rule file is a mapping of `key: value`", "it begins with `summary: ...`")
    return top


def _place(error: yaml.MarkedYAMLError, lines: int) -> yaml.Mark | None:
    """Where the mistake is: the parser notices a bracket, quote or `*` that is wrong only behind it."""
    begin, end = error.context_mark, error.problem_mark
    if begin is None or end is None:
        return end or begin
    if str(error.context).startswith("while scanning") and "tab" not in str(error.problem):
        return begin
    return begin if end.line >= lines - 1 and end.line > begin.line else end


def _decoded(raw: bytes, path: str) -> Text:
    try:
        whole = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = BREAK.split(raw[: error.start].decode("utf-8", "replace"))
        Text(path, ()).fail(len(before) - 1, len(before[-1]), 1, f"byte 0x{raw[error.start]:02x} is not UTF-8 text")
    text = Text(path, tuple(BREAK.split(whole)))
    for number, line in enumerate(text.lines):
        odd = _ODD.search(line)
        if odd:
            text.fail(number, odd.start(), 1, f"the character U+{ord(odd[0]):04X} is not allowed", "remove it")
    return text


def _composed(whole: str, text: Text) -> Node:
    """The one document of the text.

    Fails for what yaml.compose would silently accept (repeated documents, anchors, tags), and for nesting it could not
    survive.
    """
    documents = 0
    top: list[Node] = []
    siblings = top  # the children of the innermost open collection
    opened: list[tuple[Any, list[Node]]] = []  # where a collection began, and the list that it stands in
    for event in yaml.parse(whole, _LOADER):
        start: Any = event.start_mark
        end: Any = event.end_mark
        if isinstance(event, yaml.NodeEvent):
            if event.anchor:
                hint = "write the value out, or quote a text that begins with & or *"
                text.fail(start.line, start.column, 1, "anchors and aliases are not allowed in rule files", hint)
            if event.tag:  # type: ignore[attr-defined]  # aliases, that have none, have an anchor
                hint = "remove the tag, or quote a text that begins with !"
                text.fail(start.line, start.column, 1, "YAML tags are not allowed in rule files", hint)
            if isinstance(event, yaml.ScalarEvent):
                value = event.value
                tag = _tag(value) if event.implicit[0] else STRING
                siblings.append((tag, value, event.style or "", start.line, start.column, end.line, end.column))
                continue
            opened.append((start, siblings))
            siblings = []
            if len(opened) > MAX_NESTING:
                text.fail(start.line, start.column, 1, f"nested deeper than {MAX_NESTING} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            start, outer = opened.pop()
            is_map = isinstance(event, yaml.MappingEndEvent)
            within = zip(siblings[::2], siblings[1::2], strict=True) if is_map else siblings
            place = (start.line, start.column, end.line, end.column)
            outer.append((MAPPING if is_map else SEQUENCE, tuple(within), "", *place))
            siblings = outer
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                message = "a rule file holds one YAML document, a second begins here"
                text.fail(start.line, start.column, 3, message, "remove `---`")
    if not documents:
        text.fail(0, 0, 1, "the file is empty", "it begins with `summary: ...`")
    return top[0]


def _tag(value: str) -> str:
    """What YAML 1.1 reads a plain scalar as."""
    looks_like = _PLAIN.get(value[:1])
    tag = next((tag for tag, looks in looks_like if looks.match(value)), "") if looks_like else ""
    return tag.rpartition(":")[2] or STRING
