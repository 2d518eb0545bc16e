"""`make audit` says what it knows: vulnerable, clean, or that it could not ask; its program is a stand-in here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit"
CLEAN = {"name": "a", "version": "1", "vulns": []}
KNOWN = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({"dependencies": [CLEAN]}, 0, "No known vulnerabilities in requirements.lock"),
        ({"dependencies": [CLEAN, KNOWN]}, 1, "b 2: PYSEC-1, fixed in 3"),
        ({"dependencies": [CLEAN, SKIPPED]}, 2, "not audited"),
        ({"dependencies": [KNOWN, SKIPPED]}, 1, "1 known vulnerabilities"),
        (None, 2, "cannot be reached: nothing was audited"),
    ],
)
def test_the_exit_code_is_honest(answer: Any, code: int, words: str, tmp_path: Path) -> None:
    """Zero only where every package was looked up and none is known to be vulnerable."""
    program = tmp_path / "pip-audit"
    said = "import sys; sys.exit('no network')" if answer is None else f"print({json.dumps(answer)!r})"
    program.write_text(f"#!{sys.executable}\n{said}\n")
    program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, AUDIT, program, "requirements.lock"], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr
