"""`trackly-sync` as a process of its own, forked from one that has loaded the libraries: starting takes a tenth.

Only libraries are loaded beforehand; our own code begins in each process, as at a terminal. Tests that stop a
command, look at its terminal or at what it imports start the installed script instead.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

Done = subprocess.CompletedProcess[str]

_LIBRARIES = (
    "alembic.command duckdb filelock httpx msgspec pandas pandera.pandas prometheus_client pyarrow.parquet "
    "pydantic_settings rich.progress rich.table sqlalchemy.dialects.sqlite stamina typer.rich_utils"
)
_forked = multiprocessing.get_context("forkserver")
_forked.set_forkserver_preload(_LIBRARIES.split())


def trackly_sync(arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> Done:
    """Run a command in a folder to its end, with this environment and no other."""
    with tempfile.TemporaryDirectory() as kept:
        streams = [Path(kept) / "stdout", Path(kept) / "stderr"]
        process = _forked.Process(target=_run, args=(arguments, dict(environment), folder, streams))
        process.start()
        process.join()
        told, complained = (stream.read_text(encoding="utf-8") for stream in streams)
    assert process.exitcode is not None
    return subprocess.CompletedProcess(arguments, process.exitcode, told, complained)


def _run(arguments: tuple[str, ...], environment: dict[str, str], folder: Path, streams: list[Path]) -> None:
    os.umask(0o022)  # a shell's; a test before may have made its own process, and so this one, a private one
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, stream in enumerate(streams, 1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = ["trackly-sync", *arguments]
    from pipelines.cli import main  # noqa: PLC0415 - in this process, with this environment

    main()
