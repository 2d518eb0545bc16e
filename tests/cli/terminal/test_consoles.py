"""Text for files and programs has no padding."""

import io
import logging

from rich.logging import RichHandler
from rich.table import Table

from pipelines.cli.terminal.consoles import _Console


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
