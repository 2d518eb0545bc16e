"""Matches the columns of a history file with fields: one rule for every format.

Upper and lower case match, and white space around a name does not count. What does not belong here: what the values
mean (`formats`).
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.push.files.bounds import refuse_columns
from pipelines.push.values.formats import WHITE
from pipelines.text.humanize import sentence
from schemas.columns import Dataset
from schemas.registry import PUSHED

_ALIASES = {
    "phone": ("to_number", "phone_number"),
    "to": ("to_number",),
    "recipient": ("to_number",),
    "text": ("message",),
    "body": ("message",),
    "sent_at": ("timestamp",),
    "clicked_at": ("timestamp",),
    "date": ("timestamp",),
    "amount": ("revenue",),
    "from": ("list_number",),
    "from_number": ("list_number",),
    "sender": ("list_number",),
    "send_id": ("message_id", "id"),
    "type": ("send_type", "attribution_type"),
}
"""Names that other platforms give to the API's fields."""

_LIKE_A_NAME = re.compile(r"[^\W\d][\w .:/()#$-]{0,60}")
"""Only such names are shown: the first line of a file without a header holds personal data."""
_MOST_IGNORED = 50
_ORDINARY = frozenset(("delivery", "offer", "record", "sendtime"))
"""Names of other things that resemble one of our fields, in the form of `_letters`."""
_SPELT, _MOST_EDITS = 5, 2
"""A name of at least so many letters counts as misspelt if at most so many letters are wrong."""


@dataclass(frozen=True, slots=True)
class Columns:
    """How a file's columns and a dataset's fields match.

    Attributes:
        places: by field, the number of its column from 0.
        ignored: the columns that match no field, by names that are safe to show.
        notes: sentences for the plan.
    """

    places: dict[str, int]
    ignored: tuple[str, ...]
    notes: tuple[str, ...] = ()


def normal(name: str) -> str:
    """Return a column's name in the form in which names are compared."""
    return name.strip(WHITE).lower()


def known(dataset: Dataset, names: Sequence[str]) -> int:
    """Return how many names are fields or aliases of fields; this tells whether a line is a header."""
    fields = dataset.columns
    return sum(name in fields or name in _ALIASES for name in map(normal, names))


def match(dataset: Dataset, names: Sequence[str], path: Path) -> Columns:
    """Match columns with fields.

    Args:
        dataset: the dataset of the fields.
        names: the names of the columns, as the file has them, in order.
        path: the file, for messages.

    Raises:
        UsageError: a required field has no column, a field has two or a misspelt one, or there are too many columns.
    """
    refuse_columns(path, len(names))
    given = [normal(name) for name in names]
    places = _places(dataset, given, path)
    others = {place: name for place, name in enumerate(given) if name not in dataset.columns}
    hints = list(filter(None, (_hint(dataset, name, places) for name in others.values())))
    _refuse_missing(dataset, places, hints, path)
    _refuse_misspelt(
        dataset, {names[place].strip(WHITE): name for place, name in others.items()}, places, path
    )
    ignored = tuple(dict.fromkeys(_shown(names[place], place) for place in others))[:_MOST_IGNORED]
    return Columns(places, ignored, tuple(map(sentence, hints)))


def _places(dataset: Dataset, given: list[str], path: Path) -> dict[str, int]:
    twice = [name for name in dataset.columns if given.count(name) > 1]
    if twice:
        raise UsageError(
            f"{path} has the column {_in_backticks(twice)} more than once.", "Leave one of them out."
        )
    return {name: place for place, name in enumerate(given) if name in dataset.columns}


def _refuse_missing(dataset: Dataset, places: dict[str, int], hints: Sequence[str], path: Path) -> None:
    missing = [field.name for field in dataset.fields if not field.nullable and field.name not in places]
    if missing:
        because = f": {'; '.join(hints)}" if hints else ""
        raise UsageError(f"{path} lacks the column {_in_backticks(missing)}{because}.", rename(dataset))


def _refuse_misspelt(dataset: Dataset, others: dict[str, str], places: dict[str, int], path: Path) -> None:
    """Raise if a column is nearly a field; `others` has the columns of no field, as written and as compared."""
    nearly = {name: _misspelt(dataset, compared, places) for name, compared in others.items()}
    listed = ", ".join(f"`{name}` for `{near}`" for name, near in nearly.items() if near)
    if listed:
        raise UsageError(
            f"{path} has a column that is nearly a field of {dataset.name}: {listed}.", rename(dataset)
        )


def name_columns(dataset: Dataset) -> str:
    """Return the remedy for a file that does not begin with the names of its columns."""
    return (
        f"Put a line with the column names first, and nothing above it. The fields of {dataset.name} are "
        f"{', '.join(dataset.columns)}."
    )


def rename(dataset: Dataset) -> str:
    """Return the remedy for columns that do not match."""
    return (
        f"Rename it or leave it out; a .sql file can do either. The fields of {dataset.name} are "
        f"{', '.join(dataset.columns)}."
    )


def _hint(dataset: Dataset, name: str, places: dict[str, int]) -> str:
    """Return a question with the field that an unknown name may mean; empty if no field is near."""
    if not _LIKE_A_NAME.fullmatch(name):
        return ""
    free = [column for column in dataset.columns if column not in places]
    near = [alias for alias in _ALIASES.get(name, ()) if alias in free]
    near = near or difflib.get_close_matches(re.sub(r"[ .-]+", "_", name), free, n=1, cutoff=0.75)
    return f"`{name}` is not a field of {dataset.name}; did you mean `{near[0]}`?" if near else ""


def _misspelt(dataset: Dataset, name: str, places: dict[str, int]) -> str:
    """Return the field without a column that a name is a misspelling of; empty if there is none."""
    if not _LIKE_A_NAME.fullmatch(name):
        return ""
    given = _letters(name)
    free = {_letters(column): column for column in dataset.columns if column not in places}
    if given in free:
        return free[given]
    if len(given) < _SPELT or name in _ALIASES or given in (_OTHERS | _ORDINARY):
        return ""
    return next((field for near, field in free.items() if _is_near(given, near)), "")


def _is_near(given: str, field: str) -> bool:
    return len(field) >= _SPELT and _edits(given, field) <= _MOST_EDITS


def _letters(name: str) -> str:
    """Return a name without the characters that separate its words."""
    return re.sub(r"[\s_.-]+", "", name)


_OTHERS = frozenset(_letters(column) for dataset in PUSHED.values() for column in dataset.columns)


def _edits(one: str, other: str) -> int:
    """Return the Levenshtein distance: how many letters must be inserted, removed or replaced."""
    row = list(range(len(other) + 1))
    for count, letter in enumerate(one, start=1):
        above, row = row, [count]
        for at, second in enumerate(other):
            row.append(min(above[at + 1] + 1, row[at] + 1, above[at] + (letter != second)))
    return row[-1]


def _shown(name: str, place: int) -> str:
    trimmed = name.strip(WHITE)
    return trimmed if _LIKE_A_NAME.fullmatch(trimmed) else f"column {place + 1}"


def _in_backticks(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
