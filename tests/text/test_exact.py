"""One form of each number, day, month and port: what a library takes besides is refused, with what to write."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import typer

from pipelines.cli.app import app
from pipelines.databases.sqlite_or_postgresql import open_engine
from pipelines.errors import SettingsError, UsageError
from pipelines.sandbox import parse_fault
from pipelines.settings import Settings, load_settings
from pipelines.text.exact import period_of_month

ODD = (
    "+5",
    "1_000",
    " 5",
    "5 ",
    "5\n",
    "1e3",
    "\u0665",
    "\uff15",
    "5.",
    ".5",
    "0x5",
    "5,0",
    "inf",
    "nan",
    "",
)
NUMBERS = {
    name: field.annotation is int
    for name, field in Settings.model_fields.items()
    if field.annotation in (int, float, float | None)
}


def _options(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Every option and argument that is a number, of every command."""
    for name, below in getattr(command, "commands", {}).items():
        yield from _options(below, (*path, name))
    for parameter in command.params:
        if parameter.bare_type() in ("int", "float"):
            yield " ".join((*path, parameter.opts[0])), command, parameter


PORTS = ("+5", "1_0", " 5", "\u0665", "65536")
OPTIONS = {name: (command, option) for name, command, option in _options(typer.main.get_command(app))}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_takes_digits_alone(name: str) -> None:
    """A command that gets a further number has it too."""
    command, option = OPTIONS[name]
    whole, good = option.bare_type() == "int", str(max(option.min or 0, 1))
    for text in (*ODD, *(["5.0"] if whole else [])):
        with pytest.raises(typer.BadParameter, match="it must be a ") as caught:
            command.make_context("command", [f"{option.opts[0]}={text}"])
        assert caught.value.exit_code == 2, text
    for given in ([option.opts[0], good], [f"{option.opts[0]}={good}"]):
        assert command.make_context("command", given).params[option.name] == float(good)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_setting_takes_digits_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of white space sets nothing."""
    for text in filter(None, (*ODD, *(["5.0"] if NUMBERS[name] else []))):
        monkeypatch.setenv(f"TRACKLY_{name.upper()}", text)
        with pytest.raises(SettingsError, match=f"TRACKLY_{name.upper()} must be "):
            load_settings(_env_file=None)
    monkeypatch.setenv(f"TRACKLY_{name.upper()}", "1" if NUMBERS[name] else "0.5")
    assert getattr(load_settings(_env_file=None), name) == (1 if NUMBERS[name] else 0.5)


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("history_start", ["2025-3-01", "2025-03-1", "20250301", " 2025-03-01", "2025-03-01\n", "2025-03",
                           "2025-03-01T00:00:00", "\u0662025-03-01", "2025-02-30", "0001-01-01", "1700000000"]),
        ("ui_hosts", ["a.example:0", "a.example:65536", "a.example:+5", "a.example:\u0665", "a.example:"]),
        ("base_url", ["https://a.example:+5/api/v2", "https://a.example:\u0665/api/v2", "https://a.example:/api/v2",
                      "https://a.example:1_0/api/v2", "https://a.example: 5/api/v2", "https://a.example:0/api/v2"]),
        ("alert_webhook", ["https://a.example:+5/x", "https://a.example/x\n", " https://a.example/x"]),
        ("dagster_url", [f"postgresql+psycopg2://u:p@h:{port}/db" for port in PORTS]),
        ("ledger_url", [f"postgresql://u:p@h:{port}/db" for port in (*PORTS, "5\n", "0")]),
    ],
)  # fmt: skip
def test_days_and_addresses_have_one_form(name: str, odd: list[str]) -> None:
    """With what is wrong; none is quoted."""
    for text in odd:
        with pytest.raises(SettingsError, match=f"TRACKLY_{name.upper()} must ") as caught:
            load_settings(**{name: text})
        assert text.strip() not in str(caught.value)


def test_what_has_the_form_is_taken() -> None:
    """Also where a password looks like a port, or a file of SQLite has a colon in its name."""
    assert load_settings(history_start="2024-02-29").history_start == date(2024, 2, 29)
    assert load_settings(ui_hosts="a.example:8080, b.example").allowed_hosts == {
        "a.example:8080",
        "b.example",
    }
    for url in ("postgresql://u:+5@h:5432/db", "postgresql://h/db?port=5", "sqlite:////tmp/a:+5/b.db"):
        open_engine(url, durable=True).dispose()


def test_a_month_has_one_form() -> None:
    """Four digits, a hyphen and two."""
    odd = (
        "2025-3", "2025-003", "25-03", "2025-00", "2025-13", "2025-03\n", " 2025-03", "2025/03", "2025-03-01",
        "+2025-03", "\u0662\u0660\u0662\u0665-03", "0000-01", "9999-12", "",
    )  # fmt: skip
    assert [text for text in odd if period_of_month(text)] == []
    assert period_of_month("2025-12") == (datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


def test_a_number_of_a_fault_has_one_form() -> None:
    """Those of the sandbox, too."""
    for text in ("+5", "1_000", "1e3", "\u0665", "5.", ".5", "nan", "", "-1"):
        for name in ("times", "seconds"):
            with pytest.raises(UsageError, match="cannot be used"):
                parse_fault(f"503,{name}={text}")
    assert parse_fault("503,times=3,seconds=0.5").seconds == 0.5
