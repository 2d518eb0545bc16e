"""Terminals of any width: no word is broken, no cell is cut, and help is in plain words."""

import io
import re

import pytest
import typer.main
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.cli.reference import _leaves
from pipelines.cli.terminal.consoles import _Console
from pipelines.cli.terminal.width import at_words, fits, rows_as_lines

LINES = st.lists(st.text(st.sampled_from("ab-/. "), max_size=60), max_size=4).map("\n".join)


@settings(max_examples=examples(40))
@given(LINES, st.integers(1, 50))
def test_lines_end_between_words(text: str, width: int) -> None:
    """Words, their order and the lines that were there stay; a line is too long only if its word is."""
    shown = at_words(Text(text), width).plain
    assert shown.split() == text.split()
    for line in shown.split("\n"):
        assert len(line.rstrip()) <= width or len(line.split()) == 1
    for line in text.split("\n"):
        assert (line in shown) or len(line.rstrip()) > width or line != line.rstrip()


def terminal(width: int) -> _Console:
    return _Console(
        file=io.StringIO(),
        width=width,
        force_terminal=True,
        color_system=None,
        soft_wrap=True,
        highlight=False,
    )


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_suggested_command_is_whole_words_at_any_width(width: int) -> None:
    """A note with a command is wrapped at its spaces, with its markup; JSON is left as it is."""
    console = terminal(width)
    note = "  8,123 rows of revenue left out (8,000 parked, 123 quarantined): [bold]trackly-sync rejects revenue[/]"
    console.print(note)
    console.print('{"text": "' + "word " * 40 + '"}', markup=False, soft_wrap=True)
    console.print("/a/path/" + "x" * 150, markup=False)
    assert isinstance(console.file, io.StringIO)
    *wrapped, document, path = console.file.getvalue().splitlines()
    assert max(map(len, wrapped)) <= width
    assert " ".join(" ".join(wrapped).split()) == " ".join(re.sub(r"\[.*?\]", "", note).split())
    assert document.count("word") == 40
    assert path == "/a/path/" + "x" * 150, "a path can be copied"


def test_a_table_that_does_not_fit_is_shown_row_by_row() -> None:
    """Nothing of it is cut; where it fits it is a table."""
    table = Table("run", "began", "what", box=None)
    table.add_row("47e1cdba", "2026-11-26 14:11:53", Text("pull all, push all of 2025-03"))
    assert fits(table, terminal(60))
    assert not fits(table, terminal(40))
    lines = rows_as_lines(table, terminal(40)).plain.splitlines()
    assert lines == ["47e1cdba", "  began: 2026-11-26 14:11:53", "  what: pull all, push all of 2025-03"]


def test_help_has_groups_plain_types_and_examples() -> None:
    """Of every command; at 60 columns no word of an example is broken."""
    runner = CliRunner()
    top = runner.invoke(
        app, ["--help"], env={"COLUMNS": "100", "TERM": "dumb"}, prog_name="trackly-sync"
    ).output
    for panel in ("Pull: the account", "Push: history", "See how things stand", "Run and connect", "Try it"):
        assert panel in top
    for name, command in _leaves(typer.main.get_command(app)):
        shown = runner.invoke(
            app, [*name.split(), "--help"], env={"COLUMNS": "60", "TERM": "dumb"}, prog_name="trackly-sync"
        ).output
        assert "Examples:" in shown, name
        for odd in ("<", "bool", "list[", "int range", "Path"):
            assert odd not in shown.replace("<=", ""), (name, odd)
        told, said = " ".join(shown.split()), " ".join(command.help.replace("`", "").split())
        assert said.partition("Examples:")[0] in told, name
