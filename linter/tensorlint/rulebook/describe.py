"""A scheme in words: the sections of its page and of `tensorlint explain`, all taken from its file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..schemes.dialect import Dialect
from ..schemes.model import Scheme
from . import partwords
from .engines import about
from .library import Book
from .variants import changes, scheme_examples


@dataclass(frozen=True)
class Section:
    """A titled piece: sentences, a table (its first row holds the titles), and text to be shown as written."""

    title: str
    lines: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    literal: str = ""


def sections(scheme: Scheme, book: Book) -> tuple[Section, ...]:
    """Everything that is known of a scheme, in reading order; sections without content are left out."""
    found = (
        Section("Recognised by", tuple(_recognised(scheme))),
        Section("Parts", table=tuple(partwords.parts(scheme))),
        Section("Spellings", table=tuple(_forms(scheme))),
        Section("Sizes", tuple(partwords.sizes(scheme))),
        Section("Values", table=tuple(partwords.values(scheme))),
        Section("Decoding", tuple(partwords.notes(scheme)), literal="\n".join(partwords.formulas(scheme))),
        Section("What the bytes do not tell", scheme.untold),
        *_declared(scheme, book.dialects),
        Section("A part that is missing or misfits", tuple(text for text in (scheme.effect, scheme.mend) if text)),
        Section("What goes wrong", table=tuple(_wrong(scheme, book))),
        Section("Rules of its own", table=tuple(_own(scheme, book))),
        Section("Engines", table=tuple(_engines(scheme, book))),
        *_example(scheme),
        Section("Written by", (", ".join(scheme.written_by),) if scheme.written_by else ()),
        Section("Sources", scheme.see),
    )
    return tuple(s for s in found if s.lines or len(s.table) > 1 or s.literal)


def _engines(scheme: Scheme, book: Book) -> Iterator[tuple[str, ...]]:
    """What engines do with it, as far as their files say."""
    yield "engine", "serves it", "limits"
    for engine in book.engines.values():
        limits = about(engine, scheme.name, book.rules)
        said = " ".join(f"{rule.id}: {rule.summary}" for rule in limits)
        yield engine.label, engine.says(scheme.name) or "not known", said


def _own(scheme: Scheme, book: Book) -> Iterator[tuple[str, ...]]:
    """The rules that name the scheme; those about engines are told with the engines."""
    yield "rule", "severity", "what"
    for rule in book.rules.values():
        if not rule.engine and any(fnmatchcase(scheme.name, glob) for glob in rule.scope.schemes):
            yield rule.id, rule.severity, rule.summary


def _recognised(scheme: Scheme) -> Iterator[str]:
    needed = [p for p in scheme.parts.values() if p.needed in ("always", "undeclared")] or list(scheme.parts.values())
    named = [f"`{partwords.name_of(p)}` ({' or '.join(p.dtypes)})" for p in needed]
    yield "Tensors " + ", ".join(named) + " that fit together."
    if any(p.needed == "together" for p in scheme.parts.values()):
        yield "`all or none`: all modules of a kind (the same projection in every layer) have the part, or none has."
    if any(p.needed == "set" for p in scheme.parts.values()):
        yield "`a set`: a module has all of these parts or none of them."
    if scheme.weak:
        yield "This tells little: any other scheme comes first, unless the configuration promises this one."
    if scheme.companion:
        yield "They stand beside the tensors of another scheme."
    if scheme.beside:
        yield f"Readers know it by the tensor of `{scheme.beside}` beside its modules."
    if scheme.quantized and not scheme.companion:
        if scheme.everywhere:
            yield "Embeddings, heads and routers may be stored like this too."
        if not scheme.fused:
            yield "Runtimes do not merge such modules (q/k/v, gate/up), so their scales need not agree."
        if scheme.described:
            d = scheme.described
            wanted = " or ".join(d.values)
            yield f"The header's metadata must hold `module{d.suffix}`: JSON whose `{d.field}` is {wanted}."
            if d.listed:
                yield f"Its list `{d.listed}` must have the name too."
        if scheme.self_declared:
            yield "It needs no declaration in a configuration file."


def _forms(scheme: Scheme) -> Iterator[tuple[str, ...]]:
    """How each tool calls the parts; those that a form does not name it does not have."""
    yield "form", "parts"
    for form in scheme.forms:
        named = (f"`{partwords.name_of(part)}` ({part.name})" for part in form.parts.values())
        yield form.label, ", ".join(named)


def _declared(scheme: Scheme, dialects: Mapping[str, Dialect]) -> Iterator[Section]:
    """How configuration files say it: the keys of the dialects that know the declared methods."""
    rows: list[tuple[str, ...]] = [("where", "what")]
    for alternative in scheme.declared:
        for dialect in dialects.values():
            if dialect.method not in alternative["method"]:
                continue
            keys = [_stated(k, v) for k, v in _keys(alternative, dialect)]
            for place in dialect.places:
                when = [_stated(k, v) for k, v in place.when.items()]
                rows.append((place.where, ", ".join((*when, *keys)) or "is there"))
    yield Section("Declared", table=tuple(dict.fromkeys(rows)))


def _stated(key: str, values: Iterable[object]) -> str:
    """A key with the values that it may have, as they stand in JSON."""
    said = ("nothing" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in values)
    return f"{key}: {' or '.join(said)}"


def _keys(alternative: Mapping[str, tuple[object, ...]], dialect: Dialect) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Declared fields under the names that a dialect gives them."""
    for field, values in alternative.items():
        if field == "method":
            continue
        names = dialect.fields.get(field, ())
        groups = dialect.fields.get("groups", ())
        if names:
            yield names[0], values
        elif groups and field in dialect.group:
            yield f"{groups[0]}.*.{dialect.group[field][0]}", values


def _wrong(scheme: Scheme, book: Book) -> Iterator[tuple[str, ...]]:
    """The examples of damage, with the rules that find it and what happens when it is served."""
    yield "damage", "rule", "effect"
    for item, example in zip(scheme.bad, scheme_examples(scheme)[0], strict=True):
        rule = book.rules.get(book.called(example.rule))
        for name, form in changes(item).items():
            said = "missing" if form == "dropped" else form
            yield f"{name}: {said}", rule.id if rule else example.rule, str(rule.effect) if rule else ""


def _example(scheme: Scheme) -> Iterator[Section]:
    """The first sound example as it stands in the file, its configuration as JSON."""
    keys = scheme.good[0].mapping("an example")
    rows: list[str] = []
    for file, content in keys.items():
        if file.endswith(".json"):
            rows.append(f"{file}  {json.dumps(content.plain())}")
            continue
        rows.append(file)
        form = content.mapping("a shard", empty=True)
        tensors = form["tensors"].mapping("tensors", empty=True) if "tensors" in form else form
        width = max((len(name) for name in tensors), default=0)
        rows += [f"  {name:<{width}}  {value.raw}" for name, value in tensors.items()]
    yield Section("Example", literal="\n".join(rows))
