"""Schedules and their blasts, per /api-reference/v2/schedules/*."""

from pipelines.sandbox.account import Account
from pipelines.sandbox.calls import Call
from pipelines.sandbox.replies import Reply, by_id, by_status, not_found


def list_schedules(account: Account, call: Call) -> Reply:
    """GET /schedules: all at once, without pages; not those of status `archive` unless asked for."""
    return 200, {"schedules": by_status(account.schedules, call.query, hidden="archive")}


def get_schedule(account: Account, call: Call) -> Reply:
    """GET /schedules/{id}."""
    row = by_id(account.schedules, call.ids["id"])
    return not_found("Schedule") if row is None else (200, row)
