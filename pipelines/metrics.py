"""Metrics for Prometheus, as files for node_exporter's textfile collector.

Pulls and pushes begin and end between two scrapes, so each kind of run writes a file when it ends:
`trackly_sync_pull.prom` and `trackly_sync_push.prom` in TRACKLY_METRICS_DIR. All figures are read from existing
records; nothing is counted while rows are moved. What does not belong here: rates and ages, which PromQL computes
from timestamps, and when the files are written (see `alerts.after_run`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from pipelines.runs.recording import seconds
from pipelines.storage import storage_errors, write_durably
from schemas.own_tables.sync import Manifest, RunRecord

_PUSHING = ("push ", "take in ", "reconcile")
_RUNS = {
    "last_run_timestamp_seconds": "When an activity last ended.",
    "last_run_success": "Whether it went well (1) or not (0).",
    "last_run_seconds": "How long it took.",
    "last_run_rows": "Rows that it published or sent.",
    "last_run_requests": "Requests that it made of the API, each counted once.",
    "last_run_retries": "Requests that it made again after a failure.",
    "last_success_timestamp_seconds": "When it last ended well.",
}


def write_pulls(
    folder: Path,
    published: Mapping[str, Manifest],
    last: Mapping[str, RunRecord],
    succeeded: Mapping[str, RunRecord],
) -> None:
    """Write the metrics of published datasets and of pulls.

    Args:
        folder: where to; it has to exist.
        published: by dataset, the manifest of the published snapshot.
        last: the newest record of each activity.
        succeeded: the newest of those that went well.

    Raises:
        StorageError: the file cannot be written.
    """
    rows = _gauge("rows", "Rows in the warehouse.", "dataset")
    quarantined = _gauge("quarantined_rows", "Rows quarantined in the pull that is published.", "dataset")
    at = _gauge("snapshot_timestamp_seconds", "When the published snapshot was complete.", "dataset")
    for name, manifest in published.items():
        rows.add_metric([name], manifest.rows)
        quarantined.add_metric([name], manifest.quarantined)
        at.add_metric([name], _unix(manifest.finished_at))
    runs = _of_runs(last, succeeded, pushing=False)
    _write(folder / "trackly_sync_pull.prom", [rows, quarantined, at, *runs])


def write_pushes(
    folder: Path,
    outcomes: Mapping[str, Any],
    in_doubt: Mapping[str, int],
    last: Mapping[str, RunRecord],
    succeeded: Mapping[str, RunRecord],
) -> None:
    """Write the metrics of the history input's outcomes and of pushes.

    Args:
        folder: where to; it has to exist.
        outcomes: by dataset, a dataclass with a number of rows for each outcome.
        in_doubt: by dataset, the number of rows in doubt, in the current input or not.
        last: the newest record of each activity.
        succeeded: the newest of those that went well.

    Raises:
        StorageError: the file cannot be written.
    """
    rows = _gauge("import_rows", "Rows of the current history input by outcome.", "dataset", "outcome")
    for name, counts in outcomes.items():
        for outcome, count in asdict(counts).items():
            if outcome != "rows_in":  # the sum
                rows.add_metric([name, outcome], count)
    doubtful = _gauge("in_doubt_rows", "Rows in doubt, in the current history input or not.", "dataset")
    for name, count in in_doubt.items():
        doubtful.add_metric([name], count)
    _write(folder / "trackly_sync_push.prom", [rows, doubtful, *_of_runs(last, succeeded, pushing=True)])


def _of_runs(
    last: Mapping[str, RunRecord], succeeded: Mapping[str, RunRecord], *, pushing: bool
) -> Iterator[Metric]:
    found = {name: _gauge(name, text, "activity") for name, text in _RUNS.items()}
    for activity, record in last.items():
        if activity.startswith(_PUSHING) != pushing or record.finished_at is None:
            continue
        figures = record.figures
        values = {
            "last_run_timestamp_seconds": _unix(record.finished_at),
            "last_run_success": int(record.status == "succeeded"),
            "last_run_seconds": seconds(record),
            "last_run_rows": record.rows,
            "last_run_requests": figures.get("requests"),
            "last_run_retries": figures.get("retries"),
        }
        for name, value in values.items():
            if value is not None:
                found[name].add_metric([activity], value)
        if activity in succeeded and (ended := succeeded[activity].finished_at):
            found["last_success_timestamp_seconds"].add_metric([activity], _unix(ended))
    yield from found.values()


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"trackly_sync_{name}", text, labels=labels)


def _unix(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


class _Given(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _write(path: Path, families: Iterable[Metric]) -> None:
    registry = CollectorRegistry()
    registry.register(_Given(families))
    with storage_errors("write", path, "TRACKLY_METRICS_DIR"):
        path.parent.stat()  # the folder must exist: no collector reads a folder that we make
    # node_exporter is another user, and the file holds only figures
    write_durably(path, generate_latest(registry), setting="TRACKLY_METRICS_DIR", mode=0o644)
