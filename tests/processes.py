"""Processes of a test's own, to be killed or to run beside others: what they are started with, and code in one."""

import os
import subprocess
import sys

from pipelines.sandbox import API_KEY
from pipelines.settings import Settings


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """This process's environment, and the settings that lead to a test's account and data directory."""
    return {
        **os.environ,
        "TRACKLY_API_KEY": API_KEY,
        "TRACKLY_BASE_URL": settings.base_url,
        "TRACKLY_DATA_DIR": str(settings.data_dir),
        **more,
    }


def process(code: str, settings: Settings, **more: str) -> "subprocess.Popen[bytes]":
    given = {
        "TRACKLY_SETTLE_SECONDS": "0",
        "TRACKLY_LEDGER_URL": settings.ledger_url or "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment(settings, **(given | more)), stderr=subprocess.PIPE
    )
