"""Ctrl-C at the moments at which Python would lose it, and what is none."""

import asyncio
import importlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.process import interrupts


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What another hook was given; the process's own hooks and state are as before afterwards."""
    given: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", given.append)
    monkeypatch.setattr(interrupts, "_state", type(interrupts._state)())
    interrupts.at_second(lambda: None)
    return given


def test_errors_of_others_go_to_whoever_took_them_before(seen: list[Any]) -> None:
    """Also a KeyboardInterrupt that no signal of ours has raised."""
    errors = [SimpleNamespace(exc_type=kind) for kind in (ValueError, KeyboardInterrupt)]
    for error in errors:
        sys.unraisablehook(error)  # type: ignore[arg-type]
    assert seen == errors


def test_an_interrupt_that_was_lost_is_sent_again(seen: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where another one comes while that is begun: Python would lose it there too."""
    begun: list[Any] = []

    def timer(*given: Any) -> Any:
        begun.append(given)
        if len(begun) == 1:
            raise KeyboardInterrupt
        return SimpleNamespace(start=lambda: None)

    with pytest.raises(KeyboardInterrupt):
        interrupts.interrupt(2, None)
    monkeypatch.setattr(threading, "Timer", timer)
    sys.unraisablehook(SimpleNamespace(exc_type=KeyboardInterrupt))  # type: ignore[arg-type]
    assert len(begun) == 2
    assert begun[0] == begun[1]
    assert seen == []


def import_and_wait(name: str) -> None:
    importlib.import_module(name)
    threading.Event().wait(60)


def test_an_import_is_not_interrupted(
    seen: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A library in C would end the process with a dump; Ctrl-C and SIGTERM come right after it."""
    given = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.syspath_prepend(tmp_path)
    signal.signal(signal.SIGINT, interrupts.interrupt)
    signal.signal(signal.SIGTERM, interrupts.terminate)
    try:
        for number in given:
            name = f"stopped_by_{number}"
            (tmp_path / f"{name}.py").write_text(
                f"import signal\nsignal.raise_signal({int(number)})\ndone = True\n"
            )
            with pytest.raises(KeyboardInterrupt):
                import_and_wait(name)
            assert sys.modules[name].done
    finally:
        for number, handler in given.items():
            signal.signal(number, handler)
    assert interrupts.was_terminated()
    assert seen == []


@pytest.mark.parametrize("stops", [0, 1])
def test_what_is_cancelled_was_stopped_where_ctrl_c_came(seen: list[Any], stops: int) -> None:
    """Also in the last step of the work, which asyncio cancels after its end; what others cancel stays cancelled."""

    async def work() -> None:
        for _ in range(stops):
            signal.raise_signal(signal.SIGINT)
        if not stops:
            raise asyncio.CancelledError

    given = signal.signal(signal.SIGINT, interrupts.interrupt)
    try:
        with pytest.raises(KeyboardInterrupt if stops else asyncio.CancelledError):
            interrupts.run(work())
    finally:
        signal.signal(signal.SIGINT, given)
    assert seen == []
