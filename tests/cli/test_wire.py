"""What a person sees at the terminal of certificates, proxies and addresses that do not work."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Done
from peers import Authority, Seen, serving_tls

Sync = Callable[..., Done]
REPLY = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"lists": []}'
NO_WAY = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"))


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path, Seen]]:
    """An account behind a certificate of a private authority."""
    (tmp_path / "authority").mkdir()
    authority = Authority(tmp_path / "authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("api"))
    with serving_tls(context, REPLY) as seen:
        yield f"https://{seen.place}/api/v2", authority.file, seen


def lines(done: Done) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_a_certificate_that_is_not_trusted_ends_every_command(
    sync: Sync, secure: tuple[str, Path, Seen], tmp_path: Path
) -> None:
    """Pull, push and doctor say the same thing, at once, with exit 1; with the authority's file they get through."""
    url, file, seen = secure
    history = tmp_path / "data" / "history"
    history.mkdir(parents=True)
    rows = "id,to_number,list_number,timestamp,message\nm1,+15551234567,+15557654321,2025-01-01T00:00:00Z,hello\n"
    (history / "sends.csv").write_text(rows)
    for command in (("pull", "lists"), ("push", "sends"), ("doctor",)):
        done = sync(*command, TRACKLY_BASE_URL=url, **NO_WAY)
        assert done.returncode == 1, f"{command}: {lines(done)}"
        assert "not trusted" in lines(done)
        assert "SSL_CERT_FILE" in lines(done)
        assert "Traceback" not in lines(done)
    assert seen.heads == []
    done = sync("doctor", TRACKLY_BASE_URL=url, SSL_CERT_FILE=str(file), **NO_WAY)
    assert done.returncode == 0
    assert "certificates by SSL_CERT_FILE" in lines(done)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"HTTPS_PROXY": "socks5://user:s3cret@127.0.0.1:9"}, "socks5"),
        ({"ALL_PROXY": "https://127.0.0.1:9"}, "TLS to the proxy"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE"),
        ({"TRACKLY_BASE_URL": "https://user:s3cret@a.example/api/v2"}, "user"),
        ({"TRACKLY_BASE_URL": "https://a.example/api/v1"}, "v1"),
        ({"TRACKLY_BASE_URL": "http://a.example/api/v2"}, "TRACKLY_ALLOW_HTTP"),
        ({"TRACKLY_BASE_URL": "https://a.example:99999"}, "port"),
        ({"TRACKLY_LEDGER_URL": "postgres://me:s3cret@host/db"}, "postgres:// is not supported"),
    ],
)
@pytest.mark.parametrize("command", [("pull", "lists"), ("doctor",)])
def test_what_cannot_work_is_a_settings_error(
    sync: Sync, command: tuple[str, ...], changes: dict[str, str], words: str
) -> None:
    """Exit 2 in pull and doctor alike, and no secret is shown."""
    done = sync(*command, **{"TRACKLY_BASE_URL": "https://127.0.0.1:9/api/v2", **NO_WAY, **changes})
    assert done.returncode == 2, lines(done)
    assert words in lines(done)
    assert "s3cret" not in lines(done)
    assert "Traceback" not in lines(done)
