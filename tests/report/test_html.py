"""HTML for notebooks: what strangers wrote is seen as it is, makes no element, no link and no formula."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sample_reports
from tensorlint.report.findings import Finding, Location, Report, Suppression
from tensorlint.text.wording import printable

TAGS = {
    "div",
    "p",
    "b",
    "br",
    "code",
    "small",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "pre",
    "a",
    "span",
}
VOID = {"br"}
ATTRIBUTES = {"style": {"text-align: left"}, "target": {"_blank"}, "rel": {"noopener"}}
PIECES = [
    "<script>",
    "</code>",
    "</pre>",
    "<!--",
    "]]>",
    "&amp;",
    "$x$",
    "\\(",
    "javascript:",
    *"<>&\"'`$\\{}()[] .w1\n\u202e\x1b\ud800",
]
NASTY = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


class Seen(HTMLParser):
    """The text that is seen, with the elements around each piece; fails for what is not closed as it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.pieces: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.pieces)

    def handle_data(self, data: str) -> None:
        self.pieces.append((self.open[-1], data) if self.open else ("", data))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            if name == "href":
                self.links.append(value or "")
            else:
                assert value in ATTRIBUTES[name]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def seen(report: Report) -> Seen:
    found = Seen(report._repr_html_())
    for inside, text in found.pieces:
        assert inside == "span" or not set(text) & set("$\\"), "what begins a formula stands alone"
        assert inside != "span" or text in ("$", "\\")
    assert all(link.startswith("https://github.com/tensorlint/") for link in found.links)
    return found


def test_what_is_found_is_seen() -> None:
    found = seen(sample_reports.stated())
    for text in (
        "new: 1 error, 1 warning, 1 note", "scales/nan", "2 of 64 block_scale values are NaN", "Effect. the effect", "Fix. the remedy",
        "Known. a known defect", "model.layers.{3,4}.mlp.up_proj.weight_scale", "0x7f is NaN in E4M3", "not run: 1 rule needs the weights",
        "not checked: b.safetensors could not be read", "12,000 tensors",
    ):  # fmt: skip
        assert text in found.text, text
    assert "dead experts" not in found.text  # suppressed: only counted
    assert [link.rpartition("/docs/")[2] for link in found.links] == [
        "rules/scales/nan.md",
        "rules/scales/inf.md",
        "rules/config/dead-entry.md",
    ]


def test_a_report_without_findings() -> None:
    report = replace(sample_reports.stated(), findings=(), gaps=(), rules_skipped={}, stopped="the disk `a` is gone")
    found = seen(report)
    assert "not finished" in found.text
    assert "Stopped: the disk a is gone" in found.text
    assert ("code", "a") in found.pieces
    assert "table" not in report._repr_html_()


def test_names_of_strangers_are_text() -> None:
    found = seen(sample_reports.hostile())
    assert printable("<img src=x onerror=1>") in found.text
    assert not set(found.text) & set("\x1b\x07\u202e\r")
    found.text.encode()


@given(NASTY, NASTY, NASTY, NASTY)
def test_any_text_is_seen_as_it_is(name: str, message: str, remedy: str, scheme: str) -> None:
    finding = Finding(
        "my/rule", "error", f"m {message}", f"e {message}", f"r {remedy}", locations=(Location("f", f"t {name}"),),
        note=f"k {name}",
    )  # fmt: skip
    report = Report(
        f"t {name}", "full", ("",), (finding, replace(finding, rule=f"my/{name}")), {f"s {scheme}": 1}, 1, 1, 1, 1, 0.1, ("my/rule",),
        {"my/other": f"needs {remedy}"}, (f"g {message}",), f"x {name}",
    )  # fmt: skip
    found = "".join(seen(report).text.split())
    for text in (f"t{name}", f"s{scheme}"):
        assert "".join(printable(text).split()) in found
    for sentence in (f"m{message}", f"r{remedy}"):  # of backticks in pairs, which mark names, only the font is seen
        wanted = "".join(printable(sentence).split())
        assert wanted in found or wanted.replace("`", "") in found


@pytest.mark.parametrize("count", [1, 20, 21, 5_000])
def test_it_stays_small(count: int) -> None:
    name = "<" * 5_000
    finding = Finding(
        f"my/{name}", "error", name, name, name, (), 9, {}, tuple(Location("f", f"{i}.{name}") for i in range(9)), note=name,
        suppression=None,
    )  # fmt: skip
    report = replace(sample_reports.stated(), target=name, findings=(finding,) * count, stopped=name, gaps=(name,) * 9)
    html = report._repr_html_()
    assert len(html) < 600_000
    assert ("more finding" in html) is (count > 20)


def test_what_does_not_count_is_not_shown() -> None:
    stated = sample_reports.stated()
    quiet = tuple(replace(f, suppression=Suppression("known")) for f in stated.findings)
    found = seen(replace(stated, findings=quiet))
    assert "6 suppressed" in found.text
    assert "scales/nan" not in found.text
