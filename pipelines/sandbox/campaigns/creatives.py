"""Creatives, per /api-reference/v2/creatives/*."""

from pipelines.sandbox.account import Account
from pipelines.sandbox.calls import Call
from pipelines.sandbox.replies import Reply, by_id, by_status, not_found, paged


def list_creatives(account: Account, call: Call) -> Reply:
    """GET /creatives: active ones by default, of every type."""
    rows = by_status(account.creatives, {"status": "active", **_given(call)})
    wanted = call.query.get("creative_type")
    return paged("creatives", [row for row in rows if wanted in (None, "", row["creative_type"])], call.query)


def get_creative(account: Account, call: Call) -> Reply:
    """GET /creatives/{id}: archived ones too."""
    row = by_id(account.creatives, call.ids["id"])
    return not_found("Creative") if row is None else (200, row)


def _given(call: Call) -> dict[str, str]:
    return {name: value for name, value in call.query.items() if value}
