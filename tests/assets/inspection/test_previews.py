"""What Dagster's pages show of texts from outside: tables of plain text, and no Markdown of theirs anywhere."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from assets.inspection.previews import preview, table
from assets.resources import GivenTrackly
from assets.runs.engine_calls import Stopped, engine
from pipelines.errors import DataError
from pipelines.settings import Settings
from pipelines.text.sanitize import for_pages
from schemas.registry import PULLED

IMAGE = "![](http://127.0.0.1:3000/graphql?query=mutation)"
NASTY = [
    IMAGE,
    "<img src=http://evil.example/>",
    "[x](javascript:alert(1))",
    "a|b\n| c |",
    "\x1b[31m\u202ered",
    "`x`",
]


def test_a_preview_is_a_table_of_plain_text() -> None:
    """Each value in a cell of its own, as it is; nothing of it can be rendered."""
    rows = [{field.name: None for field in PULLED["lists"].fields} | {"list_name": text} for text in NASTY]
    shown = preview(PULLED["lists"], rows)
    assert isinstance(shown, dg.TableMetadataValue)
    cells = [row.data["list_name"] for row in shown.records]
    assert cells[0] == IMAGE
    assert cells[3] == "a|b | c |"
    assert cells[4] == "\\x1b[31m\\u202ered"
    assert table(["a"], []).records == []


def test_descriptions_are_no_markdown() -> None:
    """Of checks, where a page may render them."""
    for text in NASTY:
        shown = for_pages(text)
        assert not set(shown) & set("<>[]`\n\x1b\u202e")
        assert "://" not in shown
    assert for_pages("id: must be unique (3)") == "id: must be unique (3)"


def test_an_error_of_a_step_is_plain_text(settings: Settings) -> None:
    """Its description, problem and remedy."""

    def failing() -> Iterator[Any]:
        with engine(GivenTrackly(settings)) as given:  # type: ignore[arg-type] # stands in for it
            yield given
            raise DataError(f"no \x1b[31m{NASTY[3]}", "\u202ehelp")

    steps = failing()
    next(steps)
    with pytest.raises(Stopped) as stopped:
        next(steps)
    everything = f"{stopped.value.description}{[value.value for value in stopped.value.metadata.values()]}"
    assert not set(everything) & set("\x1b\u202e\n")
