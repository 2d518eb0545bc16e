"""What was reported, kept in `alerts.json` of the data directory, and reporting what has changed since.

A message that did not arrive is not on record, so the next evaluation sends it again; after a failure the endpoint is
left alone for some minutes, so that a dead one costs a run seconds at most. A message is sent also where the record
cannot be written: this process knows what it sent, and the next one sends it again.

What does not belong here: what alerts.
"""

import logging
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from pipelines.alerts.conditions import Condition
from pipelines.alerts.webhook import POST_SECONDS, post
from pipelines.errors import StorageError
from pipelines.logs import run_id
from pipelines.runs.record_files import keep, kept
from pipelines.settings import Settings
from pipelines.storage import private_folder, storage_errors, write_durably
from pipelines.text.sanitize import for_slack

LEFT_ALONE = timedelta(minutes=5)
"""How long an endpoint that failed is not tried again by a run."""

_log = logging.getLogger(__name__)


class Reported(msgspec.Struct):
    """What was reported and not taken back.

    Attributes:
        firing: since when which condition is wrong, by name.
        failed_at: when the endpoint last failed, if it has not worked since.
    """

    firing: dict[str, str] = {}
    failed_at: str | None = None


def reported(data_dir: Path) -> Reported:
    """What is on record as reported, or known to this process where the disk refused it.

    Raises:
        StorageError: the record cannot be read.
    """
    path = data_dir / "alerts.json"
    with storage_errors("read", path):
        content = kept(path) or (path.read_bytes() if path.exists() else b"{}")
    try:
        return msgspec.json.decode(content, type=Reported)
    except msgspec.DecodeError as error:
        raise StorageError(
            f"{path} is damaged ({error}).", "Delete it; all current alerts are then sent again."
        ) from error


def notify(settings: Settings, conditions: Iterable[Condition], *, patient: bool = False) -> None:
    """Tell the webhook which conditions have begun or ceased since it was last reported; does nothing without one.

    Args:
        settings: the webhook, and where the record of what was reported lies.
        conditions: those that were judged; what is not among them stays as it was reported.
        patient: try also an endpoint that has just failed.

    Raises:
        StorageError: the record cannot be read.
    """
    if settings.alert_webhook is None:
        return
    path = settings.data_dir / "alerts.json"
    with ExitStack() as stack:
        if not _is_locked(path, stack):
            return
        before = reported(settings.data_dir)
        changed = {c.name: c for c in conditions if c.firing != (c.name in before.firing)}
        now = datetime.now(UTC)
        if not changed or (not patient and before.failed_at and now - _at(before.failed_at) < LEFT_ALONE):
            return
        failure = post(settings.alert_webhook.get_secret_value(), _message(changed.values(), before))
        _remember(path, before, changed, failure, now.isoformat())


def _is_locked(path: Path, stack: ExitStack) -> bool:
    """Whether no other process is sending; where the disk takes no lock, none can be kept out."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only where alerts are sent

    try:
        private_folder(path.parent)
        stack.enter_context(FileLock(path.with_name(".alerts.json.lock")).acquire(timeout=2 * POST_SECONDS))
    except Timeout:
        _log.warning("Alerts are not sent: another process is sending them.")
        return False
    except OSError:
        return True
    return True


def try_out(webhook: str) -> str:
    """Send a message that says it is a test; returns why it did not arrive, or ""."""
    text = "Trackly Sync: this is a test; alerts arrive here."
    return post(webhook, {"text": text, "source": "trackly-sync", "alerts": []})


def _remember(path: Path, record: Reported, changed: dict[str, Condition], failure: str, now: str) -> None:
    if failure:
        if record.failed_at is None:
            _log.warning("The alert webhook cannot be used (%s); what it missed is sent later.", failure)
        record.failed_at = now
    else:
        record.failed_at = None
        for name, condition in changed.items():
            _log.info(
                "alert %s: %s", name, condition.text,
                extra={"event": "alert", "alert": name, "firing": condition.firing},
            )  # fmt: skip
            if condition.firing:
                record.firing[name] = now
            else:
                del record.firing[name]
    content = msgspec.json.encode(record)
    try:
        write_durably(path, content)
    except StorageError as error:
        if kept(path) is None:
            _log.warning(
                "That alerts were sent is not on record, so the next run sends them again: %s", error
            )
        keep(path, content)
    else:
        keep(path, None)


def _message(changed: Collection[Condition], record: Reported) -> dict[str, Any]:
    """What Slack and those that take its messages show is `text`; the rest is for programs.

    Parts of one pull that failed for one reason have a condition each, and one sentence.
    """
    alerts = [
        {
            "alert": condition.name,
            "state": "firing" if condition.firing else "recovered",
            "since": record.firing.get(condition.name),
            "text": condition.text,
            "remedy": condition.remedy if condition.firing else "",
            "figures": condition.figures,
        }
        for condition in changed
    ]
    lines = dict.fromkeys(_sentence(condition) for condition in changed)
    return {
        "text": "\n".join(["Trackly Sync", *lines]),
        "mrkdwn": False,
        "source": "trackly-sync",
        "run": run_id.get(),
        "alerts": alerts,
    }


def _sentence(condition: Condition) -> str:
    if not condition.firing:
        return f"Recovered: {for_slack(condition.text)}."
    return f"Alert: {for_slack(condition.text)}. {for_slack(condition.remedy)}"


def _at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)
