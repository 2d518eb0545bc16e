"""The two consoles: results on standard output, everything else on standard error. rich respects NO_COLOR.

With TRACKLY_LOG_FORMAT=json, standard error holds only lines of JSON.
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
"""Width of a line that does not go to a terminal.

The library rich fills a log line up to this width, and the padding is removed later.
"""

_LEVELS = logging.getLevelNamesMapping()


class _Console(Console):
    """A console that interprets our own markup, but no markup in texts from outside.

    Callers escape texts from outside (`for_terminal`) or make them a `cell`. If a caller forgot this, control
    characters are still escaped here, and text that is not markup is shown as it is.
    """

    @property
    def options(self) -> ConsoleOptions:
        """Return rich's options; output to a file or a program has no width limit, so that one row stays one line."""
        found = super().options
        return found if self.is_terminal else found.update(max_width=_NO_LIMIT)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does, without control characters other than rich's, and without padding in a file."""
        harmless = (
            segment
            if segment.control or is_plain(segment.text)
            else Segment(without_controls(segment.text), segment.style)
            for segment in super().render(renderable, options)
        )
        yield from harmless if self.is_terminal else _without_padding(harmless)

    def render_str(self, text: str, **how: Any) -> Text:
        """Render as rich does; a text that only looks like markup stays text."""
        try:
            return super().render_str(text, **how)
        except MarkupError:
            return super().render_str(text, **{**how, "markup": False})

    def print(self, *objects: Any, **how: Any) -> None:
        """Print as rich does; at a terminal lines end between words, so that commands in them can be copied.

        Output to a file or a program, or with `soft_wrap`, is not wrapped. A table that is too wide for a terminal is
        shown row by row.
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
        """Raise BrokenPipeError for `shared.exits`; rich would exit with 1."""
        raise BrokenPipeError


def _without_padding(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Yield segments without the spaces with which rich pads lines."""
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
    """Whether standard error has lines of JSON."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def log_to_terminal(verbose: bool) -> None:
    """Set up logging by the settings: JSON, or text for a person from warnings on (with `verbose`, everything)."""
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
    """Return a text from outside as a cell of a table, without markup."""
    return Text(plain(text))


def tell(text: str) -> None:
    """Print a remark that is not part of the result."""
    if json_logs():
        _log.info(text)
    else:
        err.print(plain(text), markup=False)


def complain(message: str, remedy: str = "", title: str = "Error") -> None:
    """Print an error in two lines: the problem and the remedy.

    Args:
        message: the problem.
        remedy: what to do; "" if nothing can be done.
        title: the text before the message.
    """
    if json_logs():
        _log.error(message, extra={"remedy": remedy})
        return
    err.print(f"[bold red]{title}:[/] {for_terminal(message)}")
    if remedy:
        err.print(f"  → {for_terminal(remedy)}")
