"""What is known of a row's outcome (its code and text), and the counts of outcomes.

What does not belong here: the outcomes themselves (`schemas.values.outcomes`), and how a row gets one
(`checks.validate`, `send.answers`, `ledger`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from schemas.values.outcomes import LEFT_OUT, Outcome

__all__ = [
    "CONTRADICTED",
    "EVIDENCE",
    "LEFT_TO_PERSON",
    "NOT_NAMED",
    "NOT_SENT",
    "NO_ANSWER",
    "NO_READING",
    "RESOLVED",
    "SETTLED",
    "UNREAD",
    "UNSETTLED",
    "Outcome",
    "Outcomes",
    "Verdict",
    "cause",
]


NO_ANSWER = "no_answer"
"""Our code for rows that were sent without a usable answer."""

NOT_NAMED = "not_named"
"""Our code for rows of a call that failed in part, where the answer does not say which."""

UNSETTLED = (NO_ANSWER, NOT_NAMED)
"""Codes of rows in doubt that a later reading may settle."""

NO_READING = "no_reading"
"""Our code for rows in doubt that no reading can settle: what their contacts held before is not on record."""

UNREAD = (
    "by hand: what its contact had before it, and was given since, is not all on record, so that no push can settle"
    " it; look in Trackly whether the contact has it"
)
"""Why: its call was taken over from another record than the ledger, was of a program that read no totals, or calls
were taken over since that may be of its contact."""

SETTLED = "settled"
"""Our code for rows that a reading has shown to be in the account."""

RESOLVED = "resolved"
"""Our code for rows in doubt that a person settled."""

CONTRADICTED = "contradicted"
"""Our code for rows in doubt that a person had settled otherwise than a reading showed afterwards."""

LEFT_TO_PERSON = (NO_READING, CONTRADICTED)
"""Codes of rows in doubt that no reading settles: it cannot, or would override what a person said."""

NOT_SENT = "not_sent"
"""Our code for rows of a call that was not carried out."""


EVIDENCE = "beyond what was acknowledged"
"""How the figures of a contact begin that a verdict rests on. They end its text; its cause stands before them."""


def cause(text: str, outcome: Outcome) -> str:
    """The text of a verdict without figures of the row: rows with one cause have one text.

    Args:
        text: of the verdict.
        outcome: of the verdict; earlier versions of the program wrote no cause before figures.
    """
    before, figures, _ = text.partition(EVIDENCE)
    return before.rstrip(":; ") or CAUSES.get(outcome, "") if figures else text


CAUSES = {
    Outcome.ACCEPTED: "the contact's totals have it",
    Outcome.PENDING: "the contact's totals do not have it",
    Outcome.IN_DOUBT: "the contact's totals do not settle it",
}
"""What the totals of a contact say of a row, by the outcome that this gives."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one row, and why.

    Attributes:
        outcome: the outcome.
        code: the API's code, or one of ours: "not_named", "no_answer", "not_sent", "already_there"; or "".
        message: the vendor's text, or ours; without personal data.
    """

    outcome: Outcome
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many rows of the current history input of one dataset have which outcome.

    Attributes:
        rows_in: rows of the input, malformed lines included; the others sum to it.
        accepted: in the account, through us.
        duplicate: the account already had it before us, or the input repeats it.
        rejected: refused by the API, with its code.
        quarantined: not sent, since the row itself is wrong.
        parked: not sent yet, since its send is not in the account.
        in_doubt: sent without a usable answer, and not to be sent again on a guess (revenue only).
        pending: yet to be sent.

    Raises:
        ValueError: the outcomes do not sum to rows_in, or one is negative.
    """

    rows_in: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    quarantined: int = 0
    parked: int = 0
    in_doubt: int = 0
    pending: int = 0

    def __post_init__(self) -> None:
        counts = [getattr(self, outcome.value) for outcome in Outcome]
        if sum(counts) != self.rows_in or min(counts) < 0:
            raise ValueError(f"outcomes do not add up: {asdict(self)}")

    @property
    def left_out(self) -> int:
        """Rows that a finished push did not bring in, and that someone should look at."""
        return sum(getattr(self, outcome.value) for outcome in LEFT_OUT)

    @classmethod
    def of(cls, rows_in: int, counted: Mapping[str, int]) -> "Outcomes":
        """From the counts that are recorded; what is left of rows_in is pending."""
        known = {name: n for name, n in counted.items() if name != Outcome.PENDING}
        return cls(rows_in=rows_in, pending=rows_in - sum(known.values()), **known)
