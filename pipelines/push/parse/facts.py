"""What was found in one history file, for the plan."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.push.parse.text import Evidence
from pipelines.push.values.columns import Columns

EMPTY = "the file is empty: it has no rows"
"""The note for a file of any format without bytes or with blank lines only, and for an empty JSON array."""


@dataclass(slots=True)
class Facts:
    """What a reader finds in a file: columns of the table `files`.

    Attributes:
        encoding: of a text file, for people.
        dialect: of a text file, for people.
        ignored: names of columns that are no fields, safe to show.
        notes: sentences for the plan.
    """

    encoding: str = ""
    dialect: str = ""
    ignored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note_text(self, evidence: Evidence) -> None:
        """Take over what `look` found in a text file."""
        self.encoding = evidence.encoding
        if evidence.codec == "cp1252":
            self.notes.append("read as Windows-1252, since it is not UTF-8")

    def note_ends(self, line_ends: Sequence[str]) -> None:
        """Add a note if the records have several kinds of line ends."""
        if len(line_ends) > 1:
            self.notes.append(f"line ends of several kinds: {', '.join(line_ends)}")

    def note_columns(self, columns: Columns) -> None:
        """Take over which columns are no fields."""
        self.ignored = list(columns.ignored)
        self.notes += columns.notes
