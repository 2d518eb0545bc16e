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
    for width, first in ((60, "run"), (40, "47e1cdba")):
        console = terminal(width)
        console.print(table)
        assert isinstance(console.file, io.StringIO)
        assert console.file.getvalue().split()[0] == first


WIDTHS = [40, 60, 80, 120]


def shown(arguments: list[str], width: int) -> str:
    """What a command prints to a terminal of a width."""
    environment = {"COLUMNS": str(width), "TERM": "dumb", "NO_COLOR": "1"}
    return CliRunner().invoke(app, arguments, env=environment, prog_name="trackly-sync").output


def test_help_has_groups_plain_types_and_examples() -> None:
    """Of every command, in its own words."""
    top = shown(["--help"], 100)
    for panel in ("Pull: the account", "Push: history", "See how things stand", "Run and connect", "Try it"):
        assert panel in top
    for name, command in _leaves(typer.main.get_command(app)):
        page = shown([*name.split(), "--help"], 60)
        assert "Examples:" in page, name
        assert "trackly-sync" in page.partition("Examples:")[2], name
        for odd in ("<", ">=", "bool", "list[", "int range", "Path", "UNSET", "None]"):
            assert odd not in page, (name, odd)
        in_page, declared = " ".join(page.split()), " ".join(command.help.replace("`", "").split())
        assert declared.partition("Examples:")[0] in in_page, name


def test_help_is_whole_at_any_width() -> None:
    """Of every command and group: lines end between words, nothing is cut, and every name is there."""
    group = typer.main.get_command(app)
    leaves = dict(_leaves(group))
    pages = ["", *leaves, *{name.partition(" ")[0] for name in leaves if " " in name}]
    for name in pages:
        words = [shown([*name.split(), "--help"], width).split() for width in WIDTHS]
        assert all(page == words[-1] for page in words), name
        assert not any("…" in word for word in words[0]), name
        for line in shown([*name.split(), "--help"], WIDTHS[0]).splitlines():
            assert len(line) <= WIDTHS[0] or len(line.split()) == 1, (name, line)
        for option in leaves[name].params if name in leaves else ():
            names = option.opts if option.param_type_name == "option" else []
            assert set(names) <= {word.rstrip(",") for word in words[0]}, name
    assert set(group.commands) <= set(shown(["--help"], WIDTHS[0]).split())


@pytest.mark.parametrize(
    ("arguments", "message", "page"),
    [
        (["statu"], "No such command 'statu'. Did you mean 'status'?", "trackly-sync --help"),
        (
            ["status", "--jsn"],
            "No such option: --jsn (Possible options: --json)",
            "trackly-sync status --help",
        ),
        (
            ["resolve", "--same-rows-count"],
            "No such option: --same-rows-count",
            "It is an option of push: trackly-sync push --help",
        ),
        (["status", "--csv"], "No such option: --csv", "trackly-sync status --help"),
        (
            ["ui", "--port", "70000"],
            "Invalid value for '--port': it must be a whole number, 1 to 65535",
            "trackly-sync ui --help",
        ),
        (["push", "--month"], "Option '--month' requires an argument.", "trackly-sync push --help"),
        (["webhooks", "check"], "Missing argument 'FILE'.", "trackly-sync webhooks check --help"),
    ],
)
def test_a_mistake_is_two_lines(arguments: list[str], message: str, page: str) -> None:
    """As every other error: what is wrong, and the page that helps; exit code 2."""
    done = CliRunner().invoke(app, arguments, prog_name="trackly-sync")
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [f"Error: {message}", f"  → {page}"]
    assert done.stdout == ""
