"""What was found in one history file, for the plan."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.push.parse.text import Evidence
from pipelines.push.values.columns import Columns

EMPTY = "the file is empty: it has no rows"
"""The note of a file of no bytes or only blank lines, whatever its format; of JSON also an empty array."""


@dataclass(slots=True)
class Facts:
    """The columns of `files` that a reader fills in.

    Attributes:
        encoding: of a text file, for people.
        dialect: of a text file, for people.
        ignored: columns that are not ours, as they may be shown.
        notes: sentences for the plan.
    """

    encoding: str = ""
    dialect: str = ""
    ignored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note_text(self, evidence: Evidence) -> None:
        """Take over what the look at a text file found."""
        self.encoding = evidence.encoding
        if evidence.codec == "cp1252":
            self.notes.append("read as Windows-1252, since it is not UTF-8")

    def note_ends(self, line_ends: Sequence[str]) -> None:
        """Take over which line ends the records have."""
        if len(line_ends) > 1:
            self.notes.append(f"line ends of several kinds: {', '.join(line_ends)}")

    def note_columns(self, columns: Columns) -> None:
        """Take over which columns are not ours."""
        self.ignored = list(columns.ignored)
        self.notes += columns.notes
