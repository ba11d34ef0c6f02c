"""Markdown: what strangers wrote is shown as it is, whatever it is, checked by a Markdown parser."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import sample_reports
from tensorlint.report import markdown
from tensorlint.report.interface import Options
from tensorlint.report.markup import code, fenced, plain, table
from tensorlint.text.wording import printable

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PIECES = ["http://", "www.", "``", "\\|", *"`|\\*_~<>&[]()!#@$:/ -+=.w1a\n\u202e\x1b\ud800"]
NASTY = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


class Seen(HTMLParser):
    """The text a reader sees, and the elements it is in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.links = "", [], []
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]


def seen(text: str) -> Seen:
    return Seen(PARSER.render(text))


def words(text: str) -> str:
    """A paragraph's text as Markdown keeps it: blanks at the ends go, the space of no width is not seen."""
    return text.replace("\u200b", "").strip()


@given(NASTY)
def test_text_is_seen_as_it_is_and_makes_no_element(text):
    found = seen("x " + plain(text) + " x")
    assert set(found.tags) <= {"p", "code"}
    wanted = printable(text)
    assert words(found.text).replace(" ", "") in (
        f"x{wanted}x".replace(" ", ""),
        f"x{wanted}x".replace("`", "").replace(" ", ""),
    )


def test_two_names_that_touch_are_two_names():
    found = seen(plain("`a``b`"))
    assert (words(found.text), found.tags.count("code")) == ("ab", 2)


@given(NASTY)
def test_a_name_is_seen_as_it_is_in_a_cell_of_a_table(text):
    found = seen("\n".join(table(["a", "b"], [[code(text), "end"]])))
    assert found.tags.count("td") == 2
    assert set(found.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    name = found.text.replace("\n", "").removeprefix("ab").removesuffix("end")
    assert name.replace(" ", "") == printable(text).replace(" ", "")


@given(NASTY)
def test_a_message_in_a_cell_or_a_summary_stays_in_it(text):
    found = seen("\n".join(table(["a", "b"], [[plain(text), "end"]])))
    assert found.tags.count("td") == 2
    folded = seen(f"<details><summary>{plain(text, True)}</summary>\n\nbody\n\n</details>")
    assert set(folded.tags) <= {"details", "summary", "code", "p"}


@given(NASTY)
def test_a_block_of_code_ends_where_it_ends(text):
    found = seen(fenced([text, "```", text]) + "\n\nafter")
    assert found.tags == ["pre", "code", "p"]


@pytest.mark.parametrize(
    "text", ["@admin", "a@b.example", "#12", "o/r#12", "http://e.x", "HTTPS://e.x", "www.e.x", "x www.e.x"]
)
def test_mentions_references_and_addresses_are_broken_by_a_space_of_no_width(text):
    shown = seen(plain(text)).text
    assert not re.search(r"@\w|#\d|://|www\.", shown)
    assert words(shown) == text


def test_a_report_with_hostile_names_has_only_the_links_that_we_wrote():
    found = seen(markdown.render([sample_reports.hostile()], Options(suppressed=True)))
    assert not {"img", "script", "a"} & set(found.tags)
    known = seen(markdown.render([sample_reports.stated()], Options()))
    assert all(link.startswith("https://github.com/tensorlint/tensorlint/blob/v") for link in known.links)
    assert known.tags.count("table") == 3
