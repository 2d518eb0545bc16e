"""Text for files and programs has no padding."""

import io
import logging

import pytest
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from pipelines.cli.terminal.consoles import _Console
from pipelines.logs import ENGINE, log_to


def test_a_row_is_a_line_where_it_goes_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its cells are and whatever COLUMNS says; a warning is a line as well."""
    monkeypatch.setenv("COLUMNS", "20")
    file = io.StringIO()
    console = _Console(file=file, highlight=False, emoji=False, soft_wrap=True)
    table = Table("first", "what", box=None, pad_edge=False)
    rows = [(f"{number} " + "word " * 30, Text("other " * 60)) for number in range(3)]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    handler = RichHandler(console=console, show_time=False, show_path=False, markup=False)
    handler.emit(logging.makeLogRecord({"msg": "word " * 40, "levelno": 30, "levelname": "WARNING"}))
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    assert lines == [
        "first what",
        *(f"{first.strip()} {what.plain.strip()}" for first, what in rows),
        f"WARNING {('word ' * 40).strip()}",
    ]


def test_what_goes_to_a_file_has_no_spaces_at_the_ends_of_lines() -> None:
    """Neither tables nor warnings; spaces within a line, blank lines and what is indented stay."""
    file = io.StringIO()
    console = _Console(file=file, width=80, highlight=False, emoji=False, soft_wrap=True)
    table = Table("name", "what", box=None, pad_edge=False)
    table.add_row("a  b", "short")
    table.add_row("", "something longer")
    console.print(table)
    console.print("\n  → indented, [bold]and bold[/]\nnext")
    handler = RichHandler(console=console, show_time=False, show_path=False, markup=False)
    handler.emit(
        logging.makeLogRecord({"msg": "Another pull is under way.", "levelno": 30, "levelname": "WARNING"})
    )
    assert file.getvalue().splitlines() == [
        "name  what",
        "a  b  short",
        "      something longer",
        "",
        "  → indented, and bold",
        "next",
        "WARNING  Another pull is under way.",
    ]


def test_a_stop_that_a_library_logs_is_not_shown() -> None:
    """SQLAlchemy does where it resets a connection; the command itself says that it was stopped."""
    root, engine, file = logging.getLogger(), logging.getLogger(ENGINE), io.StringIO()
    handlers, levels = root.handlers[:], (root.level, engine.level)
    root.handlers.clear()  # pytest's, which would be closed
    try:
        log_to(logging.StreamHandler(file), logging.WARNING)
        for error in (KeyboardInterrupt(), ValueError()):
            logging.getLogger("sqlalchemy.pool").error("Exception during reset", exc_info=error)
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        engine.setLevel(levels[1])
    shown = file.getvalue()
    assert (shown.count("Exception during reset"), "KeyboardInterrupt" in shown) == (1, False)
