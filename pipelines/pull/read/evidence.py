"""What a scan saw. What does not belong here: what may be claimed by it (see `consistency`)."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Evidence:
    """What a scan saw, on which the claim about its consistency rests.

    Attributes:
        requests: replies read in all.
        extra_requests: those of them beyond the planned ones: to join windows, and the look at the top.
        complete: whether a chain of replies that share rows reaches from the top to the end.
        drifted: whether the account was seen to change during the scan.
        total: what the API gave as the number of rows, last; None where it gives none.
        confirmed: whether other than the claimed number of rows was served, twice the same.
        notes: what was noticed, for people.
    """

    requests: int = 0
    extra_requests: int = 0
    complete: bool = True
    drifted: bool = False
    total: int | None = None
    confirmed: bool = False
    notes: list[str] = field(default_factory=list)
