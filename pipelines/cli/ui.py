"""`trackly-sync ui`."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.guarded import guarded
from pipelines.cli.terminal import out
from pipelines.errors import UsageError
from pipelines.settings import load_settings
from pipelines.storage import storage_errors

_DAGSTER_YAML = """\
# Dagster's own settings; runs one at a time, since jobs of this workspace share one warehouse.
telemetry:
  enabled: false
nux:
  enabled: false # no invitation to a newsletter over the first page
run_queue:
  max_concurrent_runs: 1
"""


@guarded
def ui(
    port: Annotated[int, typer.Option(help="Port on loopback.")] = 3000,
) -> int:
    """The Dagster UI and daemon on this workspace, until Ctrl-C.

    Assets, checks, the jobs pull, push and sync, and the schedule of the pull (off until you turn it on). Dagster
    keeps its records in dagster/ of the data directory.
    """
    workspace = Path("workspace.yaml")
    if not workspace.exists():
        raise UsageError(
            "There is no workspace.yaml here.", "Run it in the folder of Trackly Sync, or: make ui"
        )
    settings = load_settings()
    home = dagster_home(settings.data_dir)
    out.print(
        f"Dagster at http://127.0.0.1:{port} (data in {settings.data_dir}). Ctrl-C stops it.", markup=False
    )
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-w",
        str(workspace),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    environment = {**os.environ, "DAGSTER_HOME": str(home), "TRACKLY_DATA_DIR": str(settings.data_dir)}
    with subprocess.Popen(command, env=environment, process_group=0) as dagster:  # noqa: S603 - our own interpreter
        try:
            return dagster.wait()
        except KeyboardInterrupt:
            # in a group of its own it hears of a stop from here only, be it Ctrl-C or SIGTERM, and once
            dagster.send_signal(signal.SIGINT)
            dagster.wait()
            return 0


def dagster_home(data_dir: Path) -> Path:
    """Dagster's folder in a data directory, made if it is not there.

    Raises:
        StorageError: the disk refused.
    """
    home = data_dir.absolute() / "dagster"
    with storage_errors("make", home):
        home.mkdir(parents=True, exist_ok=True)
        config = home / "dagster.yaml"
        if not config.exists():
            config.write_text(_DAGSTER_YAML, encoding="utf-8")
    return home
