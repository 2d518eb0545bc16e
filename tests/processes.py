"""Code of a test in a process of its own, to be killed or to run beside others."""

import os
import subprocess
import sys

from pipelines.sandbox import API_KEY
from pipelines.settings import Settings


def process(code: str, settings: Settings, **environment: str) -> "subprocess.Popen[bytes]":
    given = {
        "TRACKLY_API_KEY": API_KEY,
        "TRACKLY_BASE_URL": settings.base_url,
        "TRACKLY_DATA_DIR": str(settings.data_dir),
        "TRACKLY_SETTLE_SECONDS": "0",
        "TRACKLY_LEDGER_URL": settings.ledger_url or "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **given, **environment}, stderr=subprocess.PIPE
    )
