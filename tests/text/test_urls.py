"""Addresses in settings: what is refused in one line, what works, and how they are shown."""

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import load_settings
from pipelines.text.urls import is_loopback, shown

BASE = "TRACKLY_BASE_URL"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://a.example:99999/api/v2", "port"),
        ("https://a.example:0/api/v2", "port"),
        ("https://a.example:/api/v2", "port"),
        ("https://a.example:http/api/v2", "port"),
        ("https://a.example:-1/api/v2", "port"),
        ("https://a..b/api/v2", "host"),
        ("https://.a/api/v2", "host"),
        ("https:///api/v2", "host"),
        ("https://:443/api/v2", "host"),
        ("https://-a.example/api/v2", "host"),
        ("https://a_b!.example/api/v2", "host"),
        (f"https://{'a' * 64}.example/api/v2", "host"),
        (f"https://{'a.' * 130}example/api/v2", "host"),
        ("https://127.0.0/api/v2", "host"),
        ("https://1.2.3.256/api/v2", "host"),
        ("https://[::1/api/v2", "host"),
        ("https://[zz]/api/v2", "host"),
        ("https://a.example/api/v2?key=1", "query"),
        ("https://a.example/api/v2?", "query"),
        ("https://a.example/api/v2#top", "fragment"),
        ("https://user:s3cret@a.example/api/v2", "user"),
        ("https://user@a.example/api/v2", "user"),
        ("https://@a.example/api/v2", "user"),
        ("https://a.example/api/v1", "v1"),
        ("https://a.example/api/v1/", "v1"),
        ("https://a.example/API/V1//", "v1"),
        ("https://a.example/v1", "v1"),
        ("https://a.example/api/v1/messages", "/api-reference/v2/migration-guide"),
        ("https://a b.example/api/v2", "spaces"),
        ("https://a.example\\@b.example/api/v2", "backslash"),
        ("https://a.example/api\tv2", "spaces"),
        ("a.example/api/v2", "https://"),
        ("ftp://a.example/api/v2", "https://"),
        ("https:a.example", "https://"),
        ("//a.example", "https://"),
        ("", "https://"),
    ],
)
def test_a_base_url_that_cannot_work_is_a_settings_error(url: str, words: str) -> None:
    """One line that names the setting and the fault, and quotes nothing that may be a secret."""
    with pytest.raises(SettingsError) as caught:
        load_settings(base_url=url, _env_file=None)
    assert caught.value.exit_code == 2
    assert BASE in caught.value.message
    assert words in caught.value.message
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("HTTPS://A.Example/api/v2", "https://A.Example/api/v2"),
        (" https://a.example/api/v2/ \n", "https://a.example/api/v2"),
        ("https://a.example:8443/api/v2", "https://a.example:8443/api/v2"),
        ("https://a.example./api/v2", "https://a.example./api/v2"),
        ("https://1.2.3.4/api/v2", "https://1.2.3.4/api/v2"),
        ("https://[fd00::1]:8443/api/v2", "https://[fd00::1]:8443/api/v2"),
        ("https://a_b.example/v2", "https://a_b.example/v2"),
        ("https://bücher.example/api/v2", "https://bücher.example/api/v2"),
        ("https://a.example/v1/api/v2", "https://a.example/v1/api/v2"),
        ("https://a.example/api/rev1", "https://a.example/api/rev1"),
        ("Http://127.0.0.1:9/api/v2", "http://127.0.0.1:9/api/v2"),
        ("http://localhost:9", "http://localhost:9"),
        ("http://api.localhost:9", "http://api.localhost:9"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://127.1.2.3", "http://127.1.2.3"),
    ],
)
def test_a_base_url_that_works(url: str, kept: str) -> None:
    """Any case of the scheme, ports, addresses, names of this machine over plain http."""
    assert load_settings(base_url=url, _env_file=None).base_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/api/v2",
        "HTTP://10.0.0.1",
        "http://localhost.a.example",
        "http://127.0.0.1.a.example",
    ],
)
def test_plain_http_to_another_machine_is_asked_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key leaves this machine unencrypted only where TRACKLY_ALLOW_HTTP says so; a webhook's secret too."""
    for name in (BASE, "TRACKLY_ALERT_WEBHOOK"):
        monkeypatch.setenv(name, url)
        monkeypatch.delenv("TRACKLY_ALLOW_HTTP", raising=False)
        with pytest.raises(
            SettingsError, match=f"{name} must begin with https://.*TRACKLY_ALLOW_HTTP=true"
        ) as caught:
            load_settings(_env_file=None)
        assert caught.value.exit_code == 2
        monkeypatch.setenv("TRACKLY_ALLOW_HTTP", "true")
        assert load_settings(_env_file=None).allow_http
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://user:s3cret@a.example:1/path?token=s3cret#s3cret", "https://a.example:1/path"),
        ("postgresql+psycopg://user:s3cret@db/name?password=s3cret", "postgresql+psycopg://db/name"),
        ("sqlite:///data/ledger.db", "sqlite:///data/ledger.db"),
        ("user:s3cret@proxy:3128", "an address that cannot be shown"),
        ("https://[bad:s3cret@", "an address that cannot be shown"),
        ("data/ledger.db?x=s3cret", "data/ledger.db"),
    ],
)
def test_addresses_are_shown_without_secrets(url: str, text: str) -> None:
    """Neither a user, nor a password, nor a query or fragment is shown."""
    assert shown(url) == text


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost", True),
        ("http://LOCALHOST.:9", True),
        ("http://127.9.9.9", True),
        ("http://[::1]", True),
        ("http://0.0.0.0", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
        ("nonsense", False),
    ],
)
def test_what_is_on_this_machine(url: str, here: bool) -> None:
    """By name or number alone, without asking a name server."""
    assert is_loopback(url) == here
