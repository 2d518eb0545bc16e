"""How a push is to send: what its caller may choose.

What does not belong here: settings (`pipelines.settings`), and the options of an intake (`push.intake.options`).
"""

from dataclasses import dataclass, field
from typing import TypedDict

from pipelines.push.checks.compared import Period
from pipelines.push.stage.database import Progress
from pipelines.runs import this_run


@dataclass(frozen=True, slots=True)
class SendChoices:
    """How a push is to send.

    Attributes:
        retry_rejected: whether rows that the API rejected earlier are tried again.
        between: send only rows of this time, by their own timestamp; the others stay pending.
        wait: whether to wait until revenue without an answer can be settled; else a later push does it.
        on_progress: called after every batch and answer.
        run: the run's id in sync.runs; by default that of this process.
    """

    retry_rejected: bool = False
    between: Period | None = None
    wait: bool = True
    on_progress: Progress | None = None
    run: str = field(default_factory=this_run)


class SendOptions(TypedDict, total=False):
    """The attributes of `SendChoices`, as keyword arguments."""

    retry_rejected: bool
    between: Period | None
    wait: bool
    on_progress: Progress | None
    run: str
