"""DELETE /history/clear, per /api-reference/v2/history/clear-history: it cannot be undone.

It removes imported sends, clicks of imported sends, and all revenue, live revenue too.
"""

from datetime import datetime

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Reply, Row, refused
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.requests.value_checks import instant

ENTITIES = ("sends", "clicks", "revenue")


def clear_history(account: Account, call: Call) -> Reply:
    """Remove the `entities` named, before `before_date` if given; `confirm` must be true."""
    wanted, before = call.body.get("entities"), call.body.get("before_date")
    if call.body.get("confirm") is not True:
        return refused("confirmation_required", "confirm must be true")
    if not isinstance(wanted, list) or not wanted or not all(one in ENTITIES for one in wanted):
        return refused("invalid_entities", f"entities is some of {', '.join(ENTITIES)}")
    limit = None if before is None else instant(before)
    if before is not None and limit is None:
        return refused("invalid_before_date", "before_date is not ISO 8601")
    return 200, {"success": True, "deleted": {one: _clear(account, one, limit) for one in wanted}}


def _clear(account: Account, entity: str, limit: datetime | None) -> int:
    if entity == "revenue":
        kept = [row for row in account.revenue if not _is_before(row, limit)]
        gone = len(account.revenue) - len(kept)
        account.revenue = kept
        return gone
    rows = account.sends if entity == "sends" else account.clicks
    ids = [number for number, row in rows.items() if _is_before(row, limit)]
    for number in ids:
        del rows[number]
    return len(ids)


def _is_before(row: Row, limit: datetime | None) -> bool:
    when = instant(row.get("timestamp"))
    return limit is None or (when is not None and when < limit)
