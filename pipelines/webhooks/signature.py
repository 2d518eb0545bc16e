"""Signatures of events: HMAC-SHA256 over the raw body, in the form of the settings.

The vendor documents the header and the algorithm, not the form; `forms_of` finds the form of a captured request. What
does not belong here: requests and answers (`receive`).
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.settings import Settings

HEADER = "X-Trackly-Signature"
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{43}=?")
_SIGNATURES = re.compile(rf"(?:{_HEX.pattern}|{_BASE64.pattern})$")


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a signature.

    Attributes:
        encoding: hex or base64.
        prefix: the text before the signature.
    """

    encoding: str = "hex"
    prefix: str = ""

    @classmethod
    def of(cls, settings: Settings) -> "Form":
        """Build the form of the settings."""
        return cls(settings.webhook_encoding, settings.webhook_prefix)

    def digest(self, signature: str) -> bytes | None:
        """Return the bytes of a signature in this form; None if it has another form."""
        if not signature.startswith(self.prefix):
            return None
        text = signature[len(self.prefix) :]
        if self.encoding == "hex":
            return bytes.fromhex(text) if _HEX.fullmatch(text) else None
        return _from_base64(text) if _BASE64.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Found:
    """A form that fits a captured request.

    Attributes:
        form: the form of the signature.
        key: "text" if the secret is used as it is, or the encoding it was decoded from: "hex" or "base64".
        signed: the signed data: "body", or "<header's value>.body".
    """

    form: Form
    key: str
    signed: str

    @property
    def supported(self) -> bool:
        """Whether the receiver can verify it."""
        return (self.key, self.signed) == ("text", "body")


def is_right(body: bytes, signatures: Sequence[str], secrets: Sequence[bytes], form: Form) -> bool:
    """Whether one of the signatures fits the body with one of the secrets; each comparison takes constant time.

    Args:
        body: the raw body.
        signatures: the values of the header.
        secrets: the current secrets.
        form: the form of signatures.
    """
    given = [found for text in signatures if (found := form.digest(text.strip())) is not None]
    wanted = [hmac.digest(secret, body, "sha256") for secret in secrets]
    return any([hmac.compare_digest(one, right) for one in given for right in wanted])  # noqa: C419 - all of them


def forms_of(
    body: bytes, signature: str, secrets: Sequence[bytes], stamps: Sequence[str] = ()
) -> Found | None:
    """Return the form of a captured request's signature; None if no known form fits.

    Args:
        body: the raw body.
        signature: the header's value.
        secrets: the current secrets.
        stamps: values of other headers that may be signed before the body.
    """
    for form in _written(signature.strip()):
        given = form.digest(signature.strip())
        for kind, key in _keys(secrets):
            for what, content in (
                ("body", body),
                *((f"{stamp}.body", f"{stamp}.".encode() + body) for stamp in stamps),
            ):
                if given and hmac.compare_digest(given, hmac.digest(key, content, "sha256")):
                    return Found(form, kind, what)
    return None


def _written(signature: str) -> Iterator[Form]:
    """Yield the possible forms of a text: its end is the signature, the rest is the prefix."""
    if found := _SIGNATURES.search(signature):
        for encoding, pattern in (("hex", _HEX), ("base64", _BASE64)):
            for start in range(found.start(), len(signature)):
                if pattern.fullmatch(signature, start):
                    yield Form(encoding, signature[:start])


def _keys(secrets: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield each secret as text, and decoded if it may be an encoding."""
    for secret in secrets:
        yield "text", secret
        text = secret.decode(errors="replace")
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text):
            yield "hex", bytes.fromhex(text)
        if decoded := _from_base64(text.removeprefix("whsec_")):
            yield "base64", decoded


def _from_base64(text: str) -> bytes | None:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
