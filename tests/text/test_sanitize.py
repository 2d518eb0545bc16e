"""Text from outside made harmless, place by place: attacks that were seen to work, and their neighbours."""

import csv
import io
import json
import unicodedata
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import render
from rich.table import Table
from rich.text import Text

from pipelines.cli.terminal.consoles import _Console, cell
from pipelines.text.sanitize import for_csv, for_json, for_slack, for_terminal, is_plain, plain

NASTY = [
    "[/nope]", "[bold]x", "[link=https://evil.example]click[/link]", "[red", "a]", "x\\", "x\\\\", "\\[/a]",
    ":smile:", "\x1b[31mred", "\x1b]8;;https://evil.example\x07here\x1b]8;;\x07", "\x9b2J", "\u202egnp.exe",
    "one\ntwo", "one\r\x1b[Ktwo", "a\u2028b", "\ud800", "\x00", "\x7f", "\ufeff", "\U000e0041", "[@click=app.bell]x",
]  # fmt: skip
TEXTS = st.text(st.sampled_from("[]\\/abz#@=: \n\x1b\x9b\u202e'") | st.characters()) | st.sampled_from(NASTY)


def printed(console_print: object) -> str:
    """What a terminal with all abilities would get."""
    file = StringIO()
    console = _Console(
        file=file, force_terminal=True, color_system=None, emoji=False, soft_wrap=True, width=200
    )
    console.print(console_print)
    return file.getvalue()


@given(TEXTS)
def test_plain_text_is_one_line_without_anything_unseen(text: str) -> None:
    """No control character, no turn of direction, no half of a pair; doing it twice changes nothing."""
    shown = plain(text)
    assert all(unicodedata.category(one) not in ("Cc", "Cs", "Zl", "Zp") for one in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert plain(shown) == shown
    assert is_plain(shown)


def test_other_writing_is_left_alone() -> None:
    """Accents, right-to-left letters, and emoji that are joined."""
    for text in ("Zoë Ångström", "שלום", "می‌خواهم", "👩‍👩‍👧‍👦 ✔️", "日本語", "a'b\"c [1] {2}"):
        assert plain(text) == text


@given(TEXTS, TEXTS)
def test_no_text_is_markup_at_the_terminal(one: str, two: str) -> None:
    """Two texts between our own tags come out as they are, in our styles and no other."""
    shown = render(f"[bold]{for_terminal(one)}[/] {for_terminal(two)} [dim]x[/]", emoji=False)
    assert shown.plain.replace("\u200c", "") == f"{plain(one)} {plain(two)} x".replace("\u200c", "")
    assert {str(span.style) for span in shown.spans} <= {"bold", "dim"}


@pytest.mark.parametrize("text", NASTY)
def test_a_console_obeys_no_text_even_where_escaping_was_forgotten(text: str) -> None:
    """Printed bare, in a table, and as a cell: no error, no escape, no link."""
    table = Table("title")
    table.add_row(text)
    table.add_row(cell(text))
    for shown in (printed(text), printed(table), printed(Text(text)), printed(f"[bold]{text}[/]")):
        assert not set(shown) & set("\x07\x00\x7f\x9b\u202e\ud800")
        assert "😄" not in shown
        assert "\x1b]8;;" not in shown or text.startswith("[link")  # bare markup is ours to escape


def test_nobody_is_called_and_nothing_linked_in_an_alert() -> None:
    """Slack's own brackets, mentions that work without them, and addresses."""
    for text in (
        "<!channel>",
        "<!here|x>",
        "<@U012AB3CD>",
        "<https://evil.example|the report>",
        "&lt;!channel&gt;",
    ):
        shown = for_slack(text)
        assert "<" not in shown
        assert ">" not in shown
    assert for_slack("&lt;!channel&gt;") == "&amp;lt;!channel&amp;gt;"
    assert "@" not in for_slack("@channel @all")
    assert "://" not in for_slack("see https://evil.example/x")
    assert "](" not in for_slack("![x](https://evil.example)")
    assert for_slack("contacts is 25.0 h old, more than 24 h") == "contacts is 25.0 h old, more than 24 h"
    assert "\n" not in for_slack("one\nAlert: all is lost")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_text_is_a_formula_in_csv(begin: str) -> None:
    """OWASP's rule; the text can be read, and a program finds it after the apostrophe."""
    text = f'{begin}HYPERLINK("https://evil.example")'
    file = io.StringIO()
    csv.writer(file).writerow([for_csv(text), for_csv("fine"), for_csv(-1.5), for_csv(None)])
    assert next(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [f"'{text}", "fine", "-1.5", ""]
    assert for_csv("+15551234567") == "'+15551234567"


@given(TEXTS)
def test_json_says_the_same_with_nothing_to_obey(text: str) -> None:
    """The document is the same for a program."""
    shown = for_json(json.dumps({"a": text}, ensure_ascii=False))
    assert json.loads(shown) == {"a": text}
    assert is_plain(shown)
