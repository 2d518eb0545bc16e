"""The two consoles: results on standard output, everything else on standard error. NO_COLOR is rich's to respect.

With TRACKLY_LOG_FORMAT=json standard error holds lines of JSON and nothing else.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.errors import MarkupError
from rich.logging import RichHandler
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pipelines.cli.terminal.width import at_words, fits, rows_as_lines
from pipelines.errors import SettingsError
from pipelines.logs import JsonLines, json_to_stderr, log_to
from pipelines.settings import load_settings
from pipelines.text.sanitize import for_terminal, is_plain, plain, without_controls

_log = logging.getLogger(__name__)
_NO_LIMIT = 10_000
"""Cells of a line that is not for a terminal; a log's line is filled up to it before it is cut off."""

_LEVELS = logging.getLevelNamesMapping()


class _Console(Console):
    """A console that obeys our own markup, and nothing that stands in a text from outside.

    Whoever prints such a text escapes it (`for_terminal`) or makes it a `cell`; where that was forgotten, control
    characters are written out here all the same, and what is no markup is shown as it is.
    """

    @property
    def options(self) -> ConsoleOptions:
        """As rich has them; what goes to a file or a program has no width, so that one row stays one line."""
        found = super().options
        return found if self.is_terminal else found.update(max_width=_NO_LIMIT)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does, without control characters but rich's own, and without padding where it goes to a file."""
        harmless = (
            segment
            if segment.control or is_plain(segment.text)
            else Segment(without_controls(segment.text), segment.style)
            for segment in super().render(renderable, options)
        )
        yield from harmless if self.is_terminal else _without_padding(harmless)

    def render_str(self, text: str, **how: Any) -> Text:
        """As rich does; a text that only looks like markup is a text."""
        try:
            return super().render_str(text, **how)
        except MarkupError:
            return super().render_str(text, **{**how, "markup": False})

    def print(self, *objects: Any, **how: Any) -> None:
        """As rich does; at a terminal lines end between words, so that a command in them can be read and copied.

        What goes to a file or a program is not wrapped, nor is what `soft_wrap` is set for. A table that is too wide
        for a terminal is shown row by row.
        """
        is_table = len(objects) == 1 and isinstance(objects[0], Table)
        if is_table and self.is_terminal and not fits(objects[0], self):
            objects = (rows_as_lines(objects[0], self),)
        if len(objects) == 1 and isinstance(objects[0], str | Text) and self._wraps(**how):
            objects = (at_words(self._as_text(objects[0], **how), self.width),)
        super().print(*objects, **how)

    def _wraps(self, *, soft_wrap: bool | None = None, **_how: Any) -> bool:
        return self.is_terminal and not soft_wrap

    def _as_text(self, text: str | Text, **how: Any) -> Text:
        if isinstance(text, Text):
            return text
        return self.render_str(text, markup=how.get("markup", True), style=how.get("style") or "")

    def on_broken_pipe(self) -> None:
        """Leave it to `shared.exits` that the reader has gone; rich would exit with 1."""
        raise BrokenPipeError


def _without_padding(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Segments without the spaces with which rich fills lines up."""
    line: list[Segment] = []
    for segment in segments:
        if segment.text != "\n":
            line.append(segment)
            continue
        while line and not line[-1].control and not line[-1].text.strip(" "):
            line.pop()
        if line and not line[-1].control:
            line[-1] = Segment(line[-1].text.rstrip(" "), line[-1].style)
        yield from (*line, segment)
        line = []
    yield from line


out = _Console(highlight=False, emoji=False, soft_wrap=True)
err = _Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def json_logs() -> bool:
    """Whether standard error is for a machine."""
    return any(isinstance(of.formatter, JsonLines) for of in logging.getLogger().handlers)


def log_to_terminal(verbose: bool) -> None:
    """Log as the settings say: text for a person, from warnings on (with `verbose` all that is done), or JSON."""
    try:
        settings = load_settings()
    except SettingsError:  # the command itself says so
        form, level = "text", None
    else:
        form, level = settings.log_format, settings.log_level
    usual = "info" if verbose or form == "json" else "warning"
    handler = (
        json_to_stderr()
        if form == "json"
        else RichHandler(console=err, show_time=False, show_path=False, markup=False)
    )
    if form == "text":
        handler.setFormatter(logging.Formatter("%(message)s"))
    log_to(handler, _LEVELS[(level or usual).upper()])


def cell(text: str) -> Text:
    """A text from outside as a cell of a table: as it is, without markup."""
    return Text(plain(text))


def tell(text: str) -> None:
    """A remark that is not part of the result."""
    if json_logs():
        _log.info(text)
    else:
        err.print(plain(text), markup=False)


def complain(message: str, remedy: str = "", title: str = "Error") -> None:
    """An error in two lines: what went wrong, and what to do.

    Args:
        message: what went wrong.
        remedy: what to do; "" where nothing can be done.
        title: what stands before the message.
    """
    if json_logs():
        _log.error(message, extra={"remedy": remedy})
        return
    err.print(f"[bold red]{title}:[/] {for_terminal(message)}")
    if remedy:
        err.print(f"  → {for_terminal(remedy)}")
