"""Reports changed conditions to the webhook, and keeps the reported state in `alerts.json` of the data directory.

A message that did not arrive is not recorded, so the next evaluation sends it again. After a failure the endpoint is
not tried for some minutes, so that an endpoint that is down costs a run only seconds. A message is sent also if the
record cannot be written: this process remembers it, and the next one sends it again.

What does not belong here: the conditions.
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
"""Time after a failure in which runs do not try the endpoint again."""

_log = logging.getLogger(__name__)


class Reported(msgspec.Struct):
    """The reported conditions that have not ended.

    Attributes:
        firing: the beginning of each condition, by name.
        failed_at: when the endpoint last failed, if it has not worked since.
    """

    firing: dict[str, str] = {}
    failed_at: str | None = None


def reported(data_dir: Path) -> Reported:
    """Return the recorded state, or the state of this process if the disk refused the record.

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
    """Report conditions that have begun or ended since the last report; do nothing without a webhook.

    Args:
        settings: the webhook, and the data directory with the record.
        conditions: the checked conditions; others stay as reported.
        patient: whether to try an endpoint that has just failed.

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
    """Lock the record against other processes; return True also if the disk allows no lock."""
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
    """Send a test message; return why it did not arrive, or ""."""
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
    """Build the message: Slack and compatible services show `text`; the rest is for programs.

    Activities of one pull that failed for one reason have a condition each, but share one sentence.
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
