"""Conditions about the remaining work of pulls and pushes that ended early.

What does not belong here: the remaining work (`run_records.unfinished`), and failures (`conditions.of_runs`).
"""

from collections.abc import Mapping

from pipelines.alerts.conditions import Condition
from pipelines.run_records.unfinished import Unfinished, commands, unfinished
from pipelines.settings import Settings
from pipelines.text.humanize import form
from schemas.own_tables.sync import Manifest


def of_unfinished(settings: Settings, published: Mapping[str, Manifest]) -> list[Condition]:
    """Check for pulls and pushes that were killed, stopped or failed and were not repeated since.

    A run that a person stopped by Ctrl-C or in Dagster does not alert; only `status` names it.

    Pushes are checked only if there is a history: a sync without history has nothing to push.

    Args:
        settings: where everything lies.
        published: by dataset, the manifest of the published snapshot.

    Raises:
        StorageError: a run's record cannot be read.
    """
    verbs = ("pull", "push") if _has_history(settings) else ("pull",)
    return [_of_verb(settings, verb, published) for verb in verbs]


def _has_history(settings: Settings) -> bool:
    """Whether there may be history to push; also if the folder cannot be read, since a push reports the reason."""
    try:
        return any(settings.history.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _of_verb(settings: Settings, verb: str, published: Mapping[str, Manifest]) -> Condition:
    name, left = f"unfinished:{verb}", unfinished(settings.data_dir, verb, published)
    if not left:
        return Condition(name, False, f"no {verb} has left anything to be done")
    again = dict.fromkeys(commands(one.what) for one in left)
    alerts = any(not one.on_purpose for one in left)
    return Condition(
        name,
        alerts,
        f"{'; '.join(_ended_early(verb, one) for one in left)}; nothing is half-done",
        f"Run it again: {', then '.join(again)}",
        {"runs": len(left), "datasets": sorted({name for one in left for name in one.datasets})},
        min(one.began for one in left),
        noted=not alerts,
    )


def _ended_early(verb: str, one: Unfinished) -> str:
    how = "failed" if one.status == "failed" else f"was {one.status}"
    if not one.is_begun:
        return f"{one.what} was not reached, since its run {how}"
    ended = f"{one.what} {how}"
    if one.in_whole or not one.datasets:
        return ended
    have = form(len(one.datasets), "has", "have")
    return f"{ended}, and {', '.join(one.datasets)} {have} not been {verb}ed since"
