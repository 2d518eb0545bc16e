"""`webhooks check`: which form of signature a captured request has."""

import base64
import codecs
import hmac
import json
from pathlib import Path

import pytest
from receiving import SECRET, delivery, encoded

from pipelines.cli.commands import webhooks
from pipelines.errors import UsageError
from pipelines.webhooks.captured_request import read_captured
from pipelines.webhooks.signature import Form, forms_of, is_right

BODY = encoded(delivery(1))
OLD = b"an-older-secret"


def signature(form: Form, key: bytes = SECRET.encode(), content: bytes = BODY) -> str:
    digest = hmac.digest(key, content, "sha256")
    return form.prefix + (digest.hex() if form.encoding == "hex" else base64.b64encode(digest).decode())


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", ["", "sha256=", "v1,", "t=17,v1=", "deadbeef"])
def test_every_form_is_found(encoding: str, prefix: str) -> None:
    """By either secret, whatever stands in front; and what is found is what verifies."""
    form = Form(encoding, prefix)
    for key in (SECRET.encode(), OLD):
        given = signature(form, key)
        found = forms_of(BODY, given, [OLD, SECRET.encode()])
        assert found is not None
        assert (found.form, found.supported) == (form, True)
        assert is_right(BODY, [given], [OLD, SECRET.encode()], found.form)
    assert forms_of(BODY + b" ", given, [OLD]) is None
    assert forms_of(BODY, given, [b"another"]) is None
    assert forms_of(BODY, prefix, [OLD]) is None


def test_forms_that_are_not_supported_are_named() -> None:
    """A secret that is to be decoded, or a time in front of the body."""
    secret = base64.b64encode(b"sixteen bytes ok").decode()
    found = forms_of(BODY, signature(Form(), b"sixteen bytes ok"), [f"whsec_{secret}".encode()])
    assert found is not None
    assert (found.key, found.signed, found.supported) == ("base64", "body", False)
    found = forms_of(BODY, signature(Form(), b"\xab\xcd"), [b"abcd"])
    assert found is not None
    assert (found.key, found.supported) == ("hex", False)
    found = forms_of(
        BODY, signature(Form(), SECRET.encode(), b"1700000000." + BODY), [SECRET.encode()], ["1700000000"]
    )
    assert found is not None
    assert (found.signed, found.supported) == ("1700000000.body", False)


def captured(tmp_path: Path, text: str) -> list[bytes]:
    """The same request, as tools save it."""
    head = f"POST /hook HTTP/1.1\r\nHost: a\r\nX-Trackly-Signature: {text}\r\n"
    files = [
        f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY + b"\r\n\r\nnext",
        head.encode() + b"\r\n" + BODY,
        head.replace("\r\n", "\n").encode() + b"\n" + BODY + b"\n",
        f"x-trackly-signature:  {text}\n\n".encode() + BODY,
        json.dumps({"headers": {"X-Trackly-Signature": text}, "body": BODY.decode()}).encode(),
        json.dumps(
            {"headers": [{"name": "x-trackly-signature", "value": text}], "content": BODY.decode()}
        ).encode(),
        json.dumps({"headers": {"x-trackly-signature": [text]}, "body": BODY.decode()}).encode(),
    ]
    half = len(BODY) // 2
    chunks = b"%x\r\n%b\r\n%X;last=1\r\n%b\r\n0\r\n\r\n" % (half, BODY[:half], len(BODY) - half, BODY[half:])
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks
    arrows = "".join(f"> {line}\r\n" for line in head.splitlines()) + "> \r\n"
    named = [{"name": "X-Trackly-Signature", "value": text}]
    har = {"headers": named, "postData": {"mimeType": "application/json", "text": BODY.decode()}}
    answer = {"headers": [], "content": {"mimeType": "text/plain", "text": "no"}}
    coded = {
        "headers": {"x-trackly-signature": text},
        "isBase64Encoded": True,
        "body": base64.b64encode(BODY).decode(),
    }
    tunnel = {
        "method": "POST",
        "headers": {"X-Trackly-Signature": [text]},
        "raw": base64.b64encode(chunked).decode(),
    }
    others = [
        {"log": {"entries": [{"response": answer, "request": har}]}},
        {"requests": [{"uri": "/", "request": tunnel}]},
        coded,
        {"headers": named, "body": json.loads(BODY)},
    ]
    files += [chunked, arrows.encode() + BODY, codecs.BOM_UTF8 + files[4]]
    files += [json.dumps(one).encode() for one in others]
    del tmp_path
    return files


def test_captured_requests_of_many_tools(tmp_path: Path) -> None:
    """Raw HTTP with either line end, an editor's last line end, and JSON of an inspector."""
    text = signature(Form("base64", "sha256="))
    for number, content in enumerate(captured(tmp_path, text)):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(content)
        found = read_captured(path)
        assert found.signature == text
        assert BODY in found.bodies
    for content in (b"", b"nothing", b'{"a": 1}', b"[]", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(UsageError):
            read_captured(path)
    with pytest.raises(UsageError):
        read_captured(tmp_path)
    cut = b"POST / HTTP/1.1\r\nX-Trackly-Signature: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"
    broken = {"headers": {"X-Trackly-Signature": "a"}, "isBase64Encoded": True, "body": "abc"}
    for content, body in ((cut, b"5\r\nabc"), (json.dumps(broken).encode(), b"abc")):
        path.write_bytes(content)
        assert read_captured(path).bodies == (body,)  # as it is there, where it is not what its head says


def test_the_command_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 with the settings where a form fits, 1 where none does, 2 where there is no secret or no request."""
    path = tmp_path / "request.txt"

    def check(text: str) -> int:
        path.write_bytes(f"X-Trackly-Signature: {text}\n\n".encode() + BODY)
        with pytest.raises(webhooks.typer.Exit) as ended:
            webhooks.check(path)
        return int(ended.value.exit_code)

    assert check(signature(Form())) == 2
    monkeypatch.setenv("TRACKLY_WEBHOOK_SECRET", SECRET)
    assert check(signature(Form())) == 0
    assert "That is what is set" in capsys.readouterr().out
    assert check(signature(Form("base64", "v1="))) == 0
    assert "TRACKLY_WEBHOOK_ENCODING=base64 TRACKLY_WEBHOOK_PREFIX=v1=" in capsys.readouterr().out
    stamped = signature(Form("hex", "t=1700000000,v1="), SECRET.encode(), b"1700000000." + BODY)
    assert check(stamped) == 1  # it is reported, and the receiver cannot verify it
    assert "a time and the body" in capsys.readouterr().err
    with pytest.raises(webhooks.typer.Exit):
        webhooks.check(path, as_json=True)
    form = json.loads(capsys.readouterr().out)
    assert (form["encoding"], form["supported"], form["is_set"]) == ("hex", False, False)
    assert check("0" * 64) == 1
    assert check("") == 2
    seen = capsys.readouterr()
    assert "+1555" not in seen.out + seen.err
    assert SECRET not in seen.out + seen.err
