"""The consistency of a snapshot, and its differences from the snapshot before.

What does not belong here: why replies that share a row prove that none was missed (`read.windows`), and whether a
snapshot may be published (`bad_rows_limit`).
"""

from pipelines.pull.read.chain import Evidence
from pipelines.text.humanize import form, plural
from schemas.own_tables.sync import Consistency, Manifest, source_note, unserved_rows
from schemas.revenue import FROM_CONTACTS, OF_TOTALS


def judge(evidence: Evidence, pulled: int) -> tuple[Consistency, str]:
    """Return the consistency that the evidence proves, and the evidence as a text.

    Args:
        evidence: of the scan.
        pulled: distinct rows read, quarantined ones included.
    """
    notes = list(dict.fromkeys(evidence.notes))
    claimed = (
        "no total given" if evidence.total is None else f"{plural(evidence.total, 'row')} claimed by the API"
    )
    numbers = (
        f"{plural(pulled, 'distinct row')} read, {claimed}, {plural(evidence.requests, 'reply', 'replies')}"
    )
    unserved = unserved_rows(evidence.total, pulled)
    if unserved:
        return Consistency.FUZZY, "; ".join([numbers, _unread(unserved), *notes])
    if not evidence.complete:
        more = pulled - evidence.total if evidence.total is not None else 0
        if more > 0:
            notes.append(f"{plural(more, 'row')} more than claimed: gone meanwhile, or counted twice")
        return Consistency.FUZZY, "; ".join([numbers, *notes])
    if evidence.drifted:
        proof = "; ".join(notes) or "every reply shares a row with the next"
        extra = f"{evidence.extra_requests:,} of them to look again"
        return Consistency.REPAIRED, f"{numbers}, {extra}; the account changed, {proof}"
    if evidence.confirmed:
        return Consistency.REPAIRED, "; ".join([numbers, *notes])
    if evidence.total not in (None, pulled):
        return Consistency.FUZZY, f"{numbers}; the two do not agree and nothing was seen to change"
    return Consistency.EXACT, f"{numbers}; nothing was seen to change"


def _unread(rows: int) -> str:
    return f"{plural(rows, 'row')} that the API claims {form(rows, 'was', 'were')} not there to be read"


def schema_changes(before: Manifest | None, unknown: frozenset[str], missing: frozenset[str]) -> str:
    """Describe how the fields that the API sends differ from those of an earlier snapshot.

    Args:
        before: the earlier snapshot, if there is one.
        unknown: fields that the contract does not know.
        missing: fields of the contract that no row carried.
    """
    if before is None or before.source == FROM_CONTACTS:  # such rows were derived here, from other fields
        return ""
    unknown_before = set(_names(before.unknown_fields))
    missing_before = set(_names(before.missing_fields)) - (OF_TOTALS if before.source else frozenset())
    changes = [
        *(f"new field {name}, kept in extra" for name in sorted(unknown - unknown_before)),
        *(f"field {name} is not sent any more" for name in sorted(unknown_before - unknown)),
        *(f"field {name} is not sent any more and null" for name in sorted(missing - missing_before)),
        *(f"field {name} is sent" for name in sorted(missing_before - missing)),
    ]
    return "; ".join(changes)


def source_since(before: Manifest | None, source: str, finished_at: str) -> str | None:
    """Return since when revenue has its current source; None if it never had another source.

    Args:
        before: the manifest of the published revenue.
        source: the source of the revenue that replaces it.
        finished_at: when the new revenue was complete.
    """
    if before is None or not before.source:
        return None
    return before.source_since if before.source == source else finished_at


def source_figures(manifest: Manifest) -> dict[str, str]:
    """Return the source of revenue for a run's record; empty for other datasets."""
    figures = {"source": manifest.source, "source_note": source_note(manifest)}
    return {name: text for name, text in figures.items() if text}


def _names(joined: str) -> list[str]:
    return joined.split(", ") if joined else []
