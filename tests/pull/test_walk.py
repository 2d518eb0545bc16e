"""The walk of a page of contacts in docs/architecture.md, traced: each step once and in order; data is handed on."""

from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from profiled import Begun, Steps, profiled, steps_below

from pipelines.pull.run import pull
from pipelines.sandbox import Account, seed_account
from pipelines.settings import Settings

ROOT = f"{Path(__file__).parents[2]}/pipelines/"
ROOMS = ("pull/", "trackly/")
NAMED = steps_below("A page of contacts")
WALK = [
    "pull/read/scan",
    "pull/read/chain",
    "pull/read/pages",
    "pull/replies/fetch",
    "trackly/client",
    "trackly/transport/connections",
    "trackly/transport/bodies",
    "pull/replies/accept",
    "pull/decode/redact",
    "pull/decode/decoder",
    "pull/decode/columns",
    "pull/decode/column_values",
    "pull/decode/row_keys",
    "pull/read/page_check",
    "pull/replies/spool",
]
"""From the decision to ask to the reply on the disk, in the order of entering."""

WRITING = [
    "pull/replies/batches",
    "pull/write/validate",
    "pull/write/data_file",
]
"""What the writer's thread does with it."""


@pytest.fixture
def account() -> Account:
    """One page of contacts."""
    return seed_account(contacts=200)


def module(frame: FrameType) -> str:
    path = frame.f_code.co_filename
    name = path.removeprefix(ROOT).removesuffix(".py") if path.startswith(ROOT) else ""
    return name if name.startswith(ROOMS) else ""


def caller(frame: FrameType) -> str:
    """The module of the rooms from which a call came, also through a library."""
    back = frame.f_back
    while back is not None and not module(back):
        back = back.f_back
    return module(back) if back else ""


class Tracer:
    """Notes each call that enters a module of the rooms from another, and each that the page names.

    A coroutine that goes on is no call, and the writer that waits for a batch is not on the way of a page.
    """

    def __init__(self) -> None:
        self.entered: list[tuple[str, str]] = []
        self.steps = Steps(NAMED)
        self._begun = Begun()

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        self.steps(frame, event, arg)
        name = module(frame) if event == "call" else ""
        if not name or frame.f_code.co_name.startswith("__init__") or not self._begun(frame):
            return
        came_from = caller(frame)
        waits = name == "pull/replies/fetch" and came_from == "pull/write/snapshot_files"
        if came_from != name and not waits:
            self.entered.append((name, frame.f_code.co_name))


def test_a_page_enters_each_module_once(settings: Settings) -> None:
    """From the scan to the spool, and from the batch to the data file; what ends a snapshot is not the page's way."""
    tracer = Tracer()
    profiled(tracer, lambda: pull(settings, ["contacts"], "run"))
    assert tracer.steps.entered == NAMED
    assert len(NAMED) > 18  # the table was found

    entered = tracer.entered
    at = entered.index(("pull/read/scan", "scan"))
    end = entered.index(("pull/replies/spool", "put"))
    way = [name for name, _ in entered[at : end + 1] if name in WALK]
    assert way == WALK

    first = entered.index(("pull/replies/batches", "write_batch"))
    last = entered.index(("pull/write/data_file", "add"))
    writing = [(name, of) for name, of in entered[first : last + 1] if name in WRITING and of != "of"]
    assert Counter(name for name, _ in writing) == {
        "pull/replies/batches": 2,  # written, and mapped back by the step that checks it
        "pull/write/validate": 1,
        "pull/write/data_file": 1,
    }
