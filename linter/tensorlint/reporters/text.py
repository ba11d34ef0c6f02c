"""The report for people: findings with their bytes, then the verdict, what was read and what was not checked."""

from __future__ import annotations

from collections.abc import Iterator

from ..apply import patterns
from ..findings import Evidence, Finding, Report
from ..rulebook.message import size
from .interface import Options

_STYLES = {"error": "1;31", "warning": "1;33", "note": "1;36", "bold": "1", "dim": "2", "good": "1;32"}
_SHOWN_NAMES = 4


class _Ink:
    """ANSI styles, or none."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.on and text else text


def clean(text: str) -> str:
    """Text from a file without control characters: names come from strangers and may hold escape sequences."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def render(report: Report, options: Options) -> str:
    """Findings, most severe first, and three closing lines."""
    ink = _Ink(options.color)
    rows: list[str] = []
    shown = [f for f in report.findings if f.severity != "note" or options.notes]
    cut = shown[: options.limit] if options.limit else shown
    for finding in cut:
        rows.extend(_finding(finding, ink, len(report.checkpoints) > 1))
        rows.append("")
    if len(cut) < len(shown):
        rows += [f"... and {len(shown) - len(cut)} more findings (--limit 0 shows all)", ""]
    if report.stopped:
        rows += [ink("stopped", "error") + f": {clean(report.stopped)}", ""]
    rows.append(ink(clean(_what(report)), "bold"))
    rows.append(_verdict_ink(report, ink))
    rows.append(coverage(report))
    return "\n".join(rows) + "\n"


def _finding(f: Finding, ink: _Ink, several: bool) -> Iterator[str]:
    yield f"{ink(f'{f.severity}[{f.rule}]', f.severity)}: {ink(clean(f.message), 'bold')}"
    first = f.locations[0] if f.locations else None
    if first is not None:
        names = [clean(n) for n in patterns(f)]
        if not first.tensor:
            names = names[1:] if names[:1] == [clean(first.file)] else [n for n in names if n != clean(first.file)]
        files = sorted({loc.file for loc in f.locations})
        more = f" (+{len(files) - 1} more files)" if len(files) > 1 and first.tensor else ""
        place = clean(first.file) + more
        if first.byte_offset is not None and f.count == 1:
            place += f", byte {first.byte_offset:,}"
        yield f"  {ink('-->', 'dim')} {place}"
        for name in names[:_SHOWN_NAMES]:
            yield f"      {name}"
        if len(names) > _SHOWN_NAMES:
            yield f"      ... {len(names) - _SHOWN_NAMES} more patterns"
        if f.count > 1:
            yield f"      {f.count:,} {'tensors' if first.tensor else 'places'}{_where(f)}"
    bar = "   " + ink("|", "dim")
    if f.evidence:
        yield bar
        for row in _bytes(f.evidence, f.count):
            yield f"{bar}  {row}".rstrip()
        yield bar
    equals = "   " + ink("=", "dim")
    for label, text in (("effect", f.effect), ("fix", f.remedy), ("known", f.note)):
        if text:
            yield f"{equals} {ink(label, 'bold')}: {clean(text)}"
    see = f"; see {', '.join(f.see[:3])}" if f.see else ""
    yield f"{equals} {ink('more', 'bold')}: tensorlint explain {f.rule}{see}"


def _where(f: Finding) -> str:
    """The first bad element of each of a few tensors."""
    if f.count > _SHOWN_NAMES or any(loc.index is None or loc.byte_offset is None for loc in f.locations):
        return ""
    return ", first at " + ", ".join(f"{list(loc.index or ())} (byte {loc.byte_offset:,})" for loc in f.locations)


def _bytes(e: Evidence, count: int) -> Iterator[str]:
    shape = ", ".join(map(str, e.shape))
    if count > 1:
        yield f"{clean(e.tensor)}"
    yield f"{e.dtype} [{shape}]"
    marked = sorted(e.marked)
    last = e.start[-1] if e.start else 0
    where = ""
    if len(e.start) >= 2:
        row = e.start[-2] if len(e.start) == 2 else list(e.start[:-1])
        where = f"row {row}, columns {last}..{last + len(e.elements) - 1}   "
    elif e.start:
        where = f"elements {last}..{last + len(e.elements) - 1}   "
    yield where + " ".join(e.elements)
    carets = " ".join(("^" if i in e.marked else " ") * len(x) for i, x in enumerate(e.elements))
    end = max(marked, default=0)
    yield " " * len(where) + " ".join(carets.split(" ")).rstrip() + f"  {e.note}" if end or marked else e.note


def _what(report: Report) -> str:
    schemes = ", ".join(f"{name} ({count} modules)" for name, count in report.schemes.items()) or "not quantized"
    files = "1 shard" if report.shards == 1 else f"{report.shards:,} shards"
    many = f", {len(report.checkpoints)} checkpoints" if len(report.checkpoints) > 1 else ""
    return f"{report.target}: {schemes}, {report.tensors:,} tensors, {files}{many}"


def _plural(n: int, word: str) -> str:
    return f"{n:,} {word}" + ("" if n == 1 else "s")


def verdict(report: Report) -> str:
    """What was found, in one line; never more than was looked at."""
    counts = [(report.count(s), s) for s in ("error", "warning", "note")]
    said = ", ".join(_plural(n, s) for n, s in counts if n)
    if report.stopped:
        return f"not finished: {said or 'nothing found before it stopped'}"
    if said:
        return said
    return "no findings" if report.complete else "no findings in what was checked"


def _verdict_ink(report: Report, ink: _Ink) -> str:
    style = next((s for s in ("error", "warning", "note") if report.count(s)), "good" if report.complete else "bold")
    return ink(verdict(report), style)


def coverage(report: Report) -> str:
    """What was read and what was not checked, in one line."""
    ran = f"{_plural(len(report.rules_run), 'rule')} on {_DEPTHS[report.depth]}"
    read = f"read {size(report.bytes_read)} of {size(report.bytes_total)} in {report.seconds:.1f} s"
    read += f" from {clean(report.origin)}" if report.origin else ""
    rest = []
    if report.rules_skipped:
        reasons = sorted(set(report.rules_skipped.values()))
        rest.append(f"{_plural(len(report.rules_skipped), 'rule')} not run: {'; '.join(reasons)}")
    if report.gaps:
        rest.append(
            "not checked: " + "; ".join(clean(g) for g in report.gaps[:3]) + (" ..." if len(report.gaps) > 3 else "")
        )
    return "; ".join([f"checked {ran}: {read}", *rest])


_DEPTHS = {"headers": "headers only", "scales": "headers and scales", "full": "everything"}
