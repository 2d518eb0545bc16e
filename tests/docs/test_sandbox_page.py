"""The page on developing clients: its requests run as they stand, and its tables are the code's."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from pipelines.sandbox import API_KEY, Options, running, seed_account

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_REFUSED = 1  # the link that a fault refuses


def test_its_examples_run() -> None:
    """Every curl and the Python run in one shell each, and are answered as the page says."""
    shell = "\n".join(text for language, text in _BLOCK.findall(PAGE) if language == "sh" and "curl" in text)
    python = "\n".join(text for language, text in _BLOCK.findall(PAGE) if language == "python")
    account = seed_account(contacts=1_100)
    with running(account) as server:
        environment = {
            **os.environ,
            "TRACKLY_BASE_URL": server.url,
            "TRACKLY_API_KEY": API_KEY,
            "NO_PROXY": "*",
            "no_proxy": "*",
        }
        subprocess.run([sys.executable, "-c", python], env=environment, check=True, timeout=60)
        statuses = shell.replace("curl -s", "curl -s -o /dev/null -w '%{http_code}\\n'")
        done = subprocess.run(
            ["/bin/sh", "-ec", statuses],
            env=environment,
            check=True,
            timeout=60,
            capture_output=True,
            text=True,
        )
    answers = done.stdout.split()
    assert len(answers) == shell.count("curl -s") > 10
    assert [answer for answer in answers if answer != "200"] == ["500"] * _REFUSED
    row = account.contact(("+15557000001", 1))
    assert row is not None
    assert (row["active"], row["send_count"], row["custom_fields"]) == (False, 1, {"first_name": "Ada"})


def test_its_options_are_all() -> None:
    """The table has every option with its default."""
    for option in fields(Options):
        default = "none" if option.default == () else str(option.default).lower().removesuffix(".0")
        assert re.search(rf"^\|[^|]*`{option.name}`[^|]*\| {default} \|", PAGE, re.MULTILINE), option.name
