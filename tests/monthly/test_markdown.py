"""Texts from outside show in Markdown exactly as written."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from monthly.markdown import brief, code, escaped

HOSTILE = [
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "<http://evil.example>",
    "http://evil.example www.evil.example mailto:a@evil.example",
    "[x]: http://evil.example",
    "`code` ``more`` ```",
    "**bold** __under__ ~~gone~~ a_b_c",
    "| a | b |",
    "$x^2$ $$y$$ {0} {name} %s",
    "&lt;b&gt; &#60;",
    "- list",
    "+ list",
    "1. list",
    "123456789) list",
    "# heading",
    "> quote",
    "===",
    "---",
    "\\<b> \\",
    "Größe 北 😀",
]


class Shown(HTMLParser):
    """Collects the text of a page, and its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Keep the element."""
        self.tags.add(tag)


def shown(markdown: str) -> Shown:
    # Stricter for this test than our own renderer: it passes HTML through and links addresses.
    options = {"html": True, "linkify": False}
    return Shown(
        MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).render(markdown)
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_shows_as_it_is(text: str) -> None:
    """This holds at the start of a line, within one, and in a cell of a table."""
    page = shown(escaped(text))
    assert (page.text.strip(), page.tags) == (text, {"p"})
    assert shown(f"a {escaped(text)} b").text.strip() == f"a {text} b"
    table = shown(f"| a | b |\n|---|---|\n| {escaped(text)} | 2 |")
    assert text in table.text
    assert table.tags == {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("text", HOSTILE)
def test_code_shows_as_it_is(text: str) -> None:
    page = shown(code(text))
    assert (page.text.strip(), page.tags) == (text, {"p", "code"})


@pytest.mark.parametrize(
    "address", ["http://e.example", "https://e.example", "www.e.example", "WWW.e.example", "a@e.ex"]
)
def test_an_address_is_not_one_that_a_renderer_would_link(address: str) -> None:
    """GitHub's Markdown links these wherever they stand."""
    assert address not in escaped(f"see {address}")


def test_a_text_is_one_line_of_characters_that_show() -> None:
    assert escaped("a\nb\r\n\tc \u202e\x00d") == "a b c d"


def test_a_long_text_is_cut() -> None:
    assert brief("x" * 50, 40) == "x" * 39 + "…"
    assert brief("x" * 40, 40) == "x" * 40
    assert len(escaped("x" * 100_000)) == 300
