"""What is claimed of a snapshot follows from what the scan saw."""

import pytest

from pipelines.pull.consistency import judge
from pipelines.pull.read.chain import Evidence
from schemas.own_tables.sync import Consistency

EXACT, REPAIRED, FUZZY = Consistency.EXACT, Consistency.REPAIRED, Consistency.FUZZY


@pytest.mark.parametrize(
    ("evidence", "consistency", "why"),
    [
        (Evidence(total=100), EXACT, "100 rows claimed by the API, 7 replies; nothing was seen to change"),
        (Evidence(total=None), EXACT, "no total given, 7 replies; nothing was seen to change"),
        (
            Evidence(total=100, drifted=True, extra_requests=2),
            REPAIRED,
            "2 of them to look again; the account changed",
        ),
        (
            Evidence(total=99, confirmed=True, notes=["read twice"]),
            REPAIRED,
            "99 rows claimed by the API, 7 replies; read twice",
        ),
        (Evidence(total=99), FUZZY, "the two do not agree and nothing was seen to change"),
        (Evidence(total=101), FUZZY, "1 row that the API claims was not there to be read"),
        (
            Evidence(total=90, complete=False),
            FUZZY,
            "10 rows more than claimed: gone meanwhile, or counted twice",
        ),
        (Evidence(total=100, complete=False, notes=["a", "a"]), FUZZY, "7 replies; a"),
    ],
)
def test_the_claim_is_what_the_evidence_supports(
    evidence: Evidence, consistency: Consistency, why: str
) -> None:
    """Of 100 distinct rows in 7 replies; a note that comes twice is given once."""
    evidence.requests = 7
    found, text = judge(evidence, 100)
    assert (found, text.startswith("100 distinct rows read, ")) == (consistency, True)
    assert why in text
    assert "a; a" not in text
