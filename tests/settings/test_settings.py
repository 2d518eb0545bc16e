"""The bounds of settings: what the code cannot bear is a settings error before anything runs."""

import math
import signal
from pathlib import Path

import annotated_types
import pytest
import typer

from pipelines.cli.commands.pull import pull
from pipelines.cli.commands.push import push
from pipelines.errors import SettingsError
from pipelines.sandbox import API_KEY
from pipelines.settings import DEMO_MARKER, Settings, load_settings
from pipelines.settings.broken_lines import other_broken_lines
from pipelines.settings.demo_account import announced
from pipelines.settings.misspelt import Misspelt, misspelt, refuse_misspelt, warn_of_misspelt
from pipelines.warehouse.webhook_events import publish_events
from pipelines.webhooks.queue.store import open_store

NUMBERS = {name: field for name, field in Settings.model_fields.items() if field.annotation in (int, float)}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["99999999999", "1e308", "inf", "nan", "-1"])
def test_every_number_is_bounded(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TRACKLY_{name.upper()}", value)
    with pytest.raises(SettingsError, match=f"TRACKLY_{name.upper()} must be") as caught:
        load_settings()
    assert caught.value.exit_code == 2


def _most(name: str) -> float:
    (bound,) = [rule.le for rule in NUMBERS[name].metadata if isinstance(rule, annotated_types.Le)]
    assert isinstance(bound, int | float)
    assert math.isfinite(bound)
    return bound


def test_the_bounds_themselves_are_accepted(tmp_path: object) -> None:
    """The longest time that raw bodies may be kept, and the largest queue."""
    settings = load_settings(data_dir=tmp_path, **{name: _most(name) for name in NUMBERS})
    with open_store(settings):
        pass
    publish_events(settings)


def test_a_key_of_white_space_is_none() -> None:
    with pytest.raises(SettingsError, match="TRACKLY_API_KEY is not set"):
        load_settings(api_key=" \n").require_key()


@pytest.mark.parametrize("name", ["data_dir", "history_dir", "metrics_dir"])
def test_a_folder_below_the_home_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell reads .env, and a folder called ~ is what nobody means."""
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".env"
    for given, meant in {"~/a b": tmp_path / "a b", "~": tmp_path, "a~": Path("a~")}.items():
        file.write_text(f"TRACKLY_{name.upper()}={given}\n")
        assert getattr(load_settings(_env_file=file), name) == meant
    file.write_text(f"TRACKLY_{name.upper()}=~no-such-user/a\n")
    with pytest.raises(SettingsError, match=f"TRACKLY_{name.upper()} must not begin with ~"):
        load_settings(_env_file=file)


def test_a_rate_of_one_request_in_years_is_none() -> None:
    for value in (0, 0.001):
        assert load_settings(max_requests_per_second=value).max_requests_per_second == value
    with pytest.raises(SettingsError, match=r"TRACKLY_MAX_REQUESTS_PER_SECOND must be 0, or at least 0.001"):
        load_settings(max_requests_per_second=1e-300)


@pytest.mark.parametrize(
    ("given", "secrets"), [("a", [b"a"]), ("a,b", [b"a", b"b"]), (" a , b ", [b"a", b"b"])]
)
def test_one_webhook_secret_or_two(given: str, secrets: list[bytes]) -> None:
    assert list(load_settings(webhook_secret=given).webhook_secrets) == secrets


@pytest.mark.parametrize("given", ["a,b,c", "a,", ",a", "a,,b", ",", " "])
def test_no_third_webhook_secret_and_no_empty_one(given: str) -> None:
    with pytest.raises(SettingsError, match="TRACKLY_WEBHOOK_SECRET must be one secret, or two") as caught:
        load_settings(webhook_secret=given)
    assert caught.value.exit_code == 2
    assert "a,b" not in str(caught.value)


@pytest.mark.parametrize("value", ["abc", "1.5.5", "-1", "2020-13-45T", "{}", "9" * 5000, "nan"])
def test_a_mistake_is_reported_without_a_librarys_words(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set to whatever: the setting by its name, and what it must be."""
    shown = {}
    for name in Settings.model_fields:
        monkeypatch.setenv(f"TRACKLY_{name.upper()}", value)
        try:
            load_settings()
        except SettingsError as error:
            shown[name] = str(error)
        monkeypatch.delenv(f"TRACKLY_{name.upper()}")
    for name, text in shown.items():
        assert f"TRACKLY_{name.upper()} must" in text
        for odd in (
            "input",
            "Input",
            "pydantic",
            "unable",
            "parse",
            "string",
            "Value error",
            "cannot be read",
        ):
            assert odd not in text, (name, text)


def test_without_a_key_a_demos_data_names_the_command_that_serves_its_account(tmp_path: Path) -> None:
    """After `make demo` alone, the first click in `trackly-sync ui` fails so; elsewhere a key is asked for."""
    settings = load_settings(data_dir=tmp_path)
    with pytest.raises(SettingsError, match="Copy a key"):
        settings.require_key()
    (tmp_path / DEMO_MARKER).touch()
    with pytest.raises(SettingsError, match=f"Run: trackly-sync demo --ui --data-dir {tmp_path}"):
        settings.require_key()
    with announced(tmp_path, "http://127.0.0.1:1/api/v2", "trk_demo"):
        with pytest.raises(SettingsError, match=r"served at http://127\.0\.0\.1:1/api/v2") as caught:
            settings.require_key()
        assert "TRACKLY_BASE_URL=http://127.0.0.1:1/api/v2 TRACKLY_API_KEY=trk_demo" in caught.value.remedy
    (tmp_path / ".account-served").write_text("http://127.0.0.1:1/api/v2 trk_demo")  # of a killed one
    with pytest.raises(SettingsError, match="nobody serves now"):
        settings.require_key()
    assert load_settings(data_dir=tmp_path, api_key=API_KEY).require_key() == API_KEY


NEVER_BLANK = ("TRACKLY_HASH_PHONES", "TRACKLY_DROP_CUSTOM_FIELDS", "TRACKLY_KEEP_MESSAGES")
ODD = ("x", "nan", "1e99", "-1", "5m", "10%", "true")


def message() -> str:
    """What is wrong with a setting; empty where nothing is."""
    try:
        load_settings(_env_file=None)
    except SettingsError as error:
        return error.message
    return ""


@pytest.mark.parametrize("name", Settings.model_fields)
def test_what_is_wrong_is_shown_in_our_own_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is named, with what it must be; blank is as if it were not set."""
    setting = f"TRACKLY_{name.upper()}"
    monkeypatch.setenv(setting, " ")
    assert getattr(load_settings(_env_file=None), name) == Settings.model_fields[name].default
    for text in ODD:
        monkeypatch.setenv(setting, text)
        found = message()
        assert not found or found.startswith((f"{setting} must ", f"{setting} may ")), found
        for odd in ("Input", "valid", "greater", "less than", "parse", "cannot be read"):
            assert odd not in found, found


@pytest.mark.parametrize(
    ("name", "meant", "is_refused"),
    [
        ("TRACKLY_HASH", "HASH_PHONES", True),
        ("TRACKLY_HASH_PHONE", "HASH_PHONES", True),
        ("TRACKLY_PHONES_HASH", "HASH_PHONES", True),
        ("TRACKLY_HASHED_PHONES", "HASH_PHONES", True),
        ("TRACKLY_REDACT_PHONES", "HASH_PHONES", True),
        ("TRACKLY_HASH_SECRET", "HASH_PHONES", True),
        ("TRACKLY_SYNC_HASH_PHONES", "HASH_PHONES", True),
        ("trackly_hash", "HASH_PHONES", True),
        ("TRACKY_HASH_PHONES", "HASH_PHONES", True),
        ("tracky_hash_phones", "HASH_PHONES", True),
        ("TRACLY_HASH", "HASH_PHONES", True),
        ("TRACKLYHASH_PHONES", "HASH_PHONES", True),
        ("TRACKYHASHPHONES", "HASH_PHONES", True),
        ("TRACKLY__HASH_PHONES", "HASH_PHONES", True),
        ("TRACKLY-HASH-PHONES", "HASH_PHONES", True),
        ("HASH_PHONES", "HASH_PHONES", True),
        ("hash_phones", "HASH_PHONES", True),
        ("HASH_PHONE_NUMBERS", "HASH_PHONES", False),
        ("ACME_HASH_PHONES", "HASH_PHONES", False),
        ("TRACKER_HASH_PHONES", "HASH_PHONES", False),
        ("TRACKLY_DROP_CUSTOM_FIELD", "DROP_CUSTOM_FIELDS", True),
        ("TRACKLY_DROP", "DROP_CUSTOM_FIELDS", True),
        ("DROP_CUSTOM_FIELDS", "DROP_CUSTOM_FIELDS", True),
        ("TRACKLY_KEEP_MESSAGE", "KEEP_MESSAGES", True),
        ("TRACKY_KEEP_MESSAGES", "KEEP_MESSAGES", True),
        ("TRACKLY_LEDGER", "LEDGER_URL", True),
        ("TRACKY_LEDGER_URL", "LEDGER_URL", True),
        ("TRACKLY_KEEP_SNAPSHOT", "KEEP_SNAPSHOTS", False),
        ("TRACKLY_CONCURENCY", "CONCURRENCY", False),
        ("TRACKY_CONCURRENCY", "CONCURRENCY", False),
        ("TRACKLY_HISTORY_FOLDER", "HISTORY_DIR", False),
    ],
)
def test_a_misspelt_setting_whose_effect_cannot_be_undone_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    name: str,
    meant: str,
    is_refused: bool,
) -> None:
    """Phones that were stored stay stored; any other is a warning. .env counts as the environment does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"'{name}'='a value that nobody quotes'\n")
    assert misspelt() == [Misspelt(name, f"TRACKLY_{meant}", is_refused)]
    (tmp_path / ".env").unlink()
    monkeypatch.setenv(name, "a value that nobody quotes")
    assert misspelt() == [Misspelt(name, f"TRACKLY_{meant}", is_refused)]
    if not is_refused:
        refuse_misspelt()
        warn_of_misspelt()
        assert caplog.messages == [f"{name} is no setting and has no effect; TRACKLY_{meant} is one."]
        return
    with pytest.raises(SettingsError, match=f"{name} is no setting") as caught:
        refuse_misspelt()
    assert "nobody quotes" not in str(caught.value)
    assert f"Set TRACKLY_{meant} if" in str(caught.value)
    monkeypatch.setenv(f"TRACKLY_{meant}", "given as well")
    refuse_misspelt()


@pytest.mark.parametrize(
    ("lines", "number", "name"),
    [
        ("A=1\n\nTRACKLY_HASH_PHONES: a-value\nB=2", 3, "TRACKLY_HASH_PHONES"),
        ("TRACKLY_LEDGER_URL a-value", 1, "TRACKLY_LEDGER_URL"),
        ("trackly_base_url: a-value", 1, "trackly_base_url"),
        ("set TRACKLY_DROP_CUSTOM_FIELDS=true", 1, "TRACKLY_DROP_CUSTOM_FIELDS"),
        ("# a note\r\nTRACKLY_HASH_PHONES='a-value\r\n", 2, "TRACKLY_HASH_PHONES"),
        ('TRACKLY_API_KEY="a-value"b', 1, "TRACKLY_API_KEY"),
        ('NOTE="an open quote\nTRACKLY_HASH_PHONES="a-value', 1, "TRACKLY_HASH_PHONES"),
        ('NOTE="an open quote\nTRACKLY_HASH_PHONES=a-value\n"', 1, "TRACKLY_HASH_PHONES"),
        ("TRACKY_HASH_PHONE: a-value", 1, "TRACKY_HASH_PHONE"),
        ("HASH_PHONES: a-value", 1, "HASH_PHONES"),
    ],
)
def test_a_setting_on_a_broken_line_of_dotenv_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: str, number: int, name: str
) -> None:
    """It has no effect: phones would be stored as they are, and another ledger's rows be sent again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(lines.encode())
    with pytest.raises(
        SettingsError, match=rf"^Line {number} of \.env .* so that {name} has no effect"
    ) as caught:
        load_settings()
    assert "a-value" not in str(caught.value)
    load_settings(_env_file=None)


def test_other_broken_lines_of_dotenv_are_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They may be another program's; what stands beside them holds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "export A='1'\nif true; then\nTEXT='two\nlines'\nTRACKLY_CONCURRENCY=3\nsome words\n"
    )
    assert load_settings().concurrency == 3
    assert other_broken_lines() == [
        f"Line {number} of .env is not NAME=value and has no effect." for number in (2, 6)
    ]
    assert caplog.messages == []


@pytest.mark.parametrize(
    "name",
    [
        "TRACKLY_VERSION",
        "TRACKLY_WAREHOUSE",
        "TRACKLY_CUSTOMER",
        "TRACKER_URL",
        "TRACKY_COLOUR",
        "API_KEY",
        "LEDGER_URL",
        "HASH",
    ],
)
def test_names_of_other_programs_are_no_settings(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Nothing is refused, and no setting is named for them."""
    monkeypatch.setenv(name, "x")
    assert not any(one.meant for one in misspelt())
    refuse_misspelt()


@pytest.mark.parametrize(("name", "text"), [("TRACKLY_HASH", "x"), *((one, " ") for one in NEVER_BLANK)])
def test_pulls_and_pushes_end_with_2_where_such_a_setting_has_no_effect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    """A blank one of privacy too: whoever set it to a secret that could not be read would store plain numbers."""
    monkeypatch.setenv(name, text)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for command in (pull, push):
        with pytest.raises(typer.Exit) as ended:
            command()
        assert ended.value.exit_code == 2
        assert f"{name} is " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "must be the URL of a database"),
        ("mysql://us3r:s3cret@host/db", ".*mysql:// is not supported"),
        ("mysql+pymysql://us3r:s3cret@host/db", ".*mysql:// is not supported"),
        ("oracle://us3r:s3cret@host/db", ".*oracle:// is not supported"),
        ("postgres://us3r:s3cret@host/db", ".*postgres:// is not supported"),
        ("postgresql+nodriver://us3r:s3cret@host/db", "needs a driver that is not installed"),
        ("postgresql://us3r:s3cret@host:54x/db", "must have a port from 1 to 65535"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
    ],
)
def test_a_ledger_that_no_try_would_reach_is_a_malformed_setting(url: str, words: str) -> None:
    """With one remedy for all of them, before anything is read or sent; no log-in is quoted."""
    with pytest.raises(SettingsError, match=f"TRACKLY_LEDGER_URL {words}") as caught:
        load_settings(_env_file=None, ledger_url=url)
    assert "for example postgresql://user@host:5432/db or sqlite:////srv/ledger.db" in str(caught.value)
    assert "s3" not in str(caught.value)
