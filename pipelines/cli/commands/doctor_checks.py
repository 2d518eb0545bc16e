"""The checks of `trackly-sync doctor`: each looks at one thing, and says what to do about it.

What does not belong here: how findings are shown, and what the command ends with (`doctor`).
"""

import asyncio
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pipelines.errors import SettingsError, TracklySyncError
from pipelines.settings import Settings, given_settings
from pipelines.settings.misspelt import Misspelt, blank, misspelt
from pipelines.storage import LITTLE_SPACE, free_space, needed_space, open_to_others
from pipelines.text.humanize import age, file_size, form, plural
from pipelines.text.urls import host_of, is_loopback, plain_file, shown

_PACKAGES = ("trackly-sync", "dagster", "duckdb", "pandas", "pandera", "pyarrow", "httpx")
_IN_DATA = ("privacy", "warehouse", "ledger", "webhooks")
"""Checks of the data directory's contents."""
_OTHER_PLACE = (
    "Set TRACKLY_DATA_DIR to a folder that this user may write to; it is made where it does not exist."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Attributes:
        check: its name.
        verdict: ok, warn or fail.
        found: the state that was found.
        remedy: what to do; may be empty.
        exit_code: the command's exit code if this check fails.
    """

    check: str
    verdict: str
    found: str
    remedy: str = ""
    exit_code: int = TracklySyncError.exit_code


def refuse_unusable_route(settings: Settings) -> None:
    """Refuse proxies and certificates of the environment that cannot be used.

    Raises:
        SettingsError: one cannot; the message names the variable.
    """
    from pipelines.trackly.transport.route import route_to  # noqa: PLC0415 - only here

    route_to(settings.base_url)
    if settings.alert_webhook is not None:
        route_to(settings.alert_webhook.get_secret_value())


def without_settings(error: SettingsError) -> list[Finding]:
    """Return what there is to say if the settings cannot be used."""
    return [Finding("settings", "fail", error.message, error.remedy, SettingsError.exit_code), _versions()]


def examine(settings: Settings) -> Iterator[Finding]:
    """Make every check, one after the other, also after one that fails."""
    yield _names(settings)
    checks: list[tuple[str, Callable[[Settings], Finding]]] = [
        ("API key", _key),
        ("API", _api),
        ("data directory", _disk),
        ("privacy", _privacy),
        ("warehouse", _warehouse),
        ("ledger", _ledger),
        ("history", _history),
        ("webhooks", _webhooks),
        ("alerts", _alerts),
        ("metrics", _metrics),
    ]
    has_folder = False
    with suppress(OSError):  # a name that is too long; the check of the directory reports it
        has_folder = _there(settings.data_dir).is_dir()
    for name, check in checks:
        if name in _IN_DATA and not has_folder:
            yield Finding(name, "warn", "not examined: the data directory is no folder")
            continue
        try:
            yield check(settings)
        except TracklySyncError as error:
            yield Finding(name, "fail", error.message, error.remedy, error.exit_code)
        except OSError as error:
            yield Finding(name, "fail", f"{error.filename}: {error.strerror}", "Correct the permissions.")
    yield _versions()


def _names(settings: Settings) -> Finding:
    """Check which settings are given, and which TRACKLY_ variables are not settings."""
    if empty := blank():
        text = f"{', '.join(empty)}: given without a value, so pulls and pushes refuse to run"
        return Finding("settings", "fail", text, "Give it a value, or take it out.", SettingsError.exit_code)
    if unknown := misspelt():
        return _unknown(unknown)
    given = ", ".join(given_settings(settings))
    return Finding("settings", "ok", f"well-formed; set: {given}" if given else "none is set; defaults hold")


def _unknown(unknown: Sequence[Misspelt]) -> Finding:
    """TRACKLY_ variables that are no setting, and what they may have meant."""
    meant = [f"{one.meant} in place of {one.name}" for one in unknown if one.meant]
    remedy = f"Set {', '.join(meant)}." if meant else "Take it out; docs/reference.md has every setting."
    verdict = "fail" if any(one.is_refused for one in unknown) else "warn"  # pulls and pushes refuse to run
    names = ", ".join(one.name for one in unknown)
    return Finding("settings", verdict, f"{names}: there is no such setting", remedy, SettingsError.exit_code)


def _key(settings: Settings) -> Finding:
    key = settings.require_key()
    found = f"trk_…{key[-2:]}, well-formed"
    file = Path(".env")
    if (
        file.exists()
        and file.stat().st_mode & 0o077
        and "TRACKLY_API_KEY" in file.read_text(errors="replace")
    ):
        return Finding("API key", "warn", f"{found}, in a .env that others can read", "Run: chmod 600 .env")
    return Finding("API key", "ok", found)


def _api(settings: Settings) -> Finding:
    """Request the lists, to check that the host answers and accepts the key."""
    if settings.api_key is None:
        return Finding("API", "warn", f"{shown(settings.base_url)} not asked without a key")
    from pipelines.trackly.client import TracklyClient  # noqa: PLC0415 - other checks do not need it
    from pipelines.trackly.replies.pages import get_page  # noqa: PLC0415 - the same

    async def ask() -> float:
        # one short attempt, so that doctor stays fast
        hasty = settings.model_copy(update={"retry_seconds": 0.0, "timeout_seconds": 10.0})
        async with TracklyClient(hasty) as client:
            started = time.perf_counter()
            await get_page(client, "/lists", "lists")
            return time.perf_counter() - started

    seconds = asyncio.run(ask())
    found = f"{shown(settings.base_url)} takes the key, {seconds * 1000:.0f} ms{_way(settings)}"
    if settings.base_url.startswith("http://") and not is_loopback(settings.base_url):
        return Finding("API", "warn", f"{found}, without encryption", "Use https:// in TRACKLY_BASE_URL.")
    return Finding("API", "ok", found)


def _way(settings: Settings) -> str:
    """Describe the proxy and certificates of the environment that requests to the API use."""
    from pipelines.trackly.transport.certificates import trusted_by  # noqa: PLC0415 - other checks do not need it
    from pipelines.trackly.transport.proxies import proxy_for  # noqa: PLC0415 - the same

    proxy, trusted = proxy_for(settings.base_url), trusted_by()
    through = f", through the proxy {proxy.place}" if proxy else ""
    by = f", certificates by {trusted}" if trusted and settings.base_url.startswith("https:") else ""
    return through + by


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir
    place = _there(folder)
    free = free_space(folder)
    if not place.is_dir():
        return Finding("data directory", "fail", f"{place} is no folder", _OTHER_PLACE)
    if not _writable(place):
        return Finding("data directory", "fail", f"{folder} cannot be written", _OTHER_PLACE)
    found = f"{folder}, {file_size(free)} free"
    if free < needed_space(settings.warehouse):
        remedy = "Make room on that disk: a pull or a push may not be able to end, or to be put on record."
        return Finding("data directory", "fail", found, remedy)
    if free < LITTLE_SPACE:
        return Finding("data directory", "warn", found, "A pull of a million contacts needs about 1 GiB.")
    return Finding("data directory", "ok", found)


def _there(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _privacy(settings: Settings) -> Finding:
    found = open_to_others(settings.data_dir)
    if not found:
        return Finding("privacy", "ok", "nobody else can read the data directory")
    return Finding(
        "privacy",
        "warn",
        f"{plural(len(found), 'file or folder', 'files and folders')} of the data directory"
        f" {form(len(found), 'is', 'are')} open to other users of this machine",
        "Run: trackly-sync doctor --fix",
    )


def _writable(place: Path) -> bool:
    import tempfile  # noqa: PLC0415 - only here

    try:
        with tempfile.TemporaryFile(dir=place):
            return place.is_dir()
    except OSError:
        return False


def _warehouse(settings: Settings) -> Finding:
    from pipelines.warehouse.published import published  # noqa: PLC0415 - other checks do not need it

    found = published(settings.warehouse)
    if not found:
        return Finding("warehouse", "warn", "there is none yet", "Run: trackly-sync pull")
    return Finding("warehouse", "ok", f"{settings.warehouse} opens, {plural(len(found), 'dataset')}")


def _ledger(settings: Settings) -> Finding:
    from pipelines.push.audit.lost_ledger.detect import lost  # noqa: PLC0415 - other checks do not need it
    from pipelines.push.ledger.status import outcomes  # noqa: PLC0415 - the same

    file = plain_file(settings.ledger)
    if found := lost(settings):
        return Finding("ledger", "fail" if found.has_revenue else "warn", found.text, found.remedy)
    if file and not file.exists():
        return Finding("ledger", "ok", "there is none yet; the first push makes it")
    rows = sum(counts.rows_in for counts in outcomes(settings).values())
    return Finding("ledger", "ok", f"opens, {plural(rows, 'row')} of history on record")


def _history(settings: Settings) -> Finding:
    place = settings.history
    if not place.exists():
        return Finding("history", "ok", f"{place} is not there; only a push needs it")
    if place.is_dir():
        files = sum(1 for path in place.rglob("*") if path.is_file())
        return Finding("history", "ok", f"{place}, {plural(files, 'file')}")
    found = f"{place} is no folder; a push takes it only if it is a history file"
    return Finding("history", "warn", found, "Set TRACKLY_HISTORY_DIR to the folder of the history files.")


def _webhooks(settings: Settings) -> Finding:
    from pipelines.alerts.conditions import of_webhooks  # noqa: PLC0415 - other checks do not need it
    from pipelines.webhooks.queue.state import received  # noqa: PLC0415 - the same

    found = received(settings)
    if found is None:
        return Finding("webhooks", "ok", "no event was received; trackly-sync webhooks serve would")
    for condition in of_webhooks(settings, found, None, datetime.now(UTC)):
        if condition.firing:
            return Finding("webhooks", "warn", condition.text, condition.remedy)
    if not settings.webhook_secrets:
        return Finding(
            "webhooks",
            "warn",
            "events are received without a secret, so nothing is verified",
            "Set TRACKLY_WEBHOOK_SECRET to the secret of Trackly's Settings > Webhooks.",
        )
    return Finding("webhooks", "ok", f"{plural(found.bodies, 'event')} received")


def _alerts(settings: Settings) -> Finding:
    if settings.alert_webhook is None:
        return Finding("alerts", "ok", "none are sent; TRACKLY_ALERT_WEBHOOK would say where to")
    from pipelines.alerts.notify import reported  # noqa: PLC0415 - other checks do not need it

    host = host_of(settings.alert_webhook.get_secret_value())
    if failed := reported(settings.data_dir).failed_at:
        remedy = "See that TRACKLY_ALERT_WEBHOOK is right: trackly-sync alerts --test"
        return Finding("alerts", "warn", f"the last one did not reach {host} ({age(failed)} ago)", remedy)
    return Finding("alerts", "ok", f"go to {host}; to try it: trackly-sync alerts --test")


def _metrics(settings: Settings) -> Finding:
    folder = settings.metrics_dir
    if folder is None:
        return Finding("metrics", "ok", "none are written; TRACKLY_METRICS_DIR would say where to")
    if not (folder.is_dir() and _writable(folder)):
        return Finding(
            "metrics",
            "warn",
            f"{folder} is no folder that can be written to",
            "Make it, or set TRACKLY_METRICS_DIR to the folder of node_exporter's textfile collector.",
        )
    return Finding("metrics", "ok", f"written to {folder}")


def _versions() -> Finding:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return Finding("versions", "ok", f"Python {platform.python_version()}, {packages}")
