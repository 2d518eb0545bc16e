"""The options of an intake.

What does not belong here: settings (`pipelines.settings`), and the options of sending (`push.send.options`).
"""

from dataclasses import dataclass, field
from typing import TypedDict

from pipelines.push.stage.database import Progress
from pipelines.runs.recording import this_run


@dataclass(frozen=True, slots=True)
class IntakeChoices:
    """The options of an intake.

    Attributes:
        changed: take in only datasets whose list of files, or a file in it, has changed since their last intake.
        ignore_unread: go on without files that are named like a dataset and cannot be read.
        attended: whether a person started this run; else `.sql` files are read only if `sql_sources` is set.
        on_progress: called when the rows of a dataset are judged.
        run: the run's id in sync.runs; by default that of this process.
    """

    changed: bool = False
    ignore_unread: bool = False
    attended: bool = True
    on_progress: Progress | None = None
    run: str = field(default_factory=this_run)


class IntakeOptions(TypedDict, total=False):
    """The attributes of `IntakeChoices`, as keyword arguments."""

    changed: bool
    ignore_unread: bool
    attended: bool
    on_progress: Progress | None
    run: str
