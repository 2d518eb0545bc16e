"""Trusted certificates, and the error for one that is not trusted.

SSL_CERT_FILE, SSL_CERT_DIR and REQUESTS_CA_BUNDLE name the trusted certificates, as in OpenSSL and requests; without
these variables the system's store is used. They apply to every host, including hosts of this machine. What does not
belong here: whether a request is retried (retries.py).
"""

import os
import re
import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import truststore

from pipelines.errors import SettingsError

_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_FOLDERS = ("SSL_CERT_DIR",)
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
_TRUST = (
    "If that is right (a company's own authority, a proxy that reads traffic), set SSL_CERT_FILE to the file with "
    "the authority's certificate."
)

# OpenSSL's numbers, x509_vfy.h
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED, _HOST_MISMATCH, _ADDRESS_MISMATCH = 9, 10, 18, 62, 64


def tls_context(environment: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return the context that checks TLS connections.

    Args:
        environment: the environment variables.

    Raises:
        SettingsError: a variable does not name a file or folder of certificates.
    """
    named = [(name, value) for name in (*_FILES, *_FOLDERS) if (value := environment.get(name, "").strip())]
    if not named:
        return _of_the_system()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, value in named:
        # OpenSSL takes several folders; requests' variable names a file or a folder
        for path in (
            [Path(part) for part in value.split(os.pathsep) if part] if name in _FOLDERS else [Path(value)]
        ):
            _load(context, name, path)
    return context


def trusted_by(environment: Mapping[str, str] = os.environ) -> str:
    """Return the variables that name trusted certificates, for doctor; "" if the system's store is used."""
    return ", ".join(name for name in (*_FILES, *_FOLDERS) if environment.get(name, "").strip())


def _of_the_system() -> ssl.SSLContext:
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found = ssl.get_default_verify_paths()
    has_store = found.cafile or (found.capath and any(Path(found.capath).iterdir()))
    if sys.platform.startswith("linux") and not has_store:
        import certifi  # noqa: PLC0415 - only a system without a store needs it

        context.load_verify_locations(certifi.where())
    return context


def _load(context: ssl.SSLContext, name: str, path: Path) -> None:
    try:
        if path.is_dir():
            if not _load_folder(context, path):
                raise SettingsError(
                    f"{name} names a folder without certificates: {path}",
                    "Put the authority's certificate there as a PEM file, or take the variable out.",
                )
        elif name in _FOLDERS:
            raise SettingsError(f"{name} names no folder: {path}", "Correct it, or take the variable out.")
        else:
            context.load_verify_locations(path)
    except (OSError, ssl.SSLError) as error:
        why = (
            "is no file of certificates in PEM form" if isinstance(error, ssl.SSLError) else "cannot be read"
        )
        raise SettingsError(
            f"{name} {why}: {path}", "Correct it, or take the variable out to trust what the system trusts."
        ) from None


def _load_folder(context: ssl.SSLContext, folder: Path) -> bool:
    """Trust the certificates of a folder, whether or not its files are named by hash, as OpenSSL requires."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if any(_HASHED.fullmatch(path.name) for path in files):
        context.load_verify_locations(capath=folder)
        return True
    found = False
    for path in files:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError):
            continue  # such as a key or a README
        found = True
    return found


def about_certificate(error: ssl.SSLCertVerificationError, place: str) -> tuple[str, str]:
    """Return the problem with a certificate and the remedy, in one line each.

    Args:
        error: of the handshake.
        place: host and port of the connection.
    """
    code = getattr(error, "verify_code", 0)
    if code in (_EXPIRED, _NOT_YET_VALID):
        when = "has expired" if code == _EXPIRED else "is not valid yet"
        return (
            f"The TLS certificate of {place} {when}.",
            "Check the clock of this machine; if it is right, whoever runs the host has to renew the certificate.",
        )
    if code in (_HOST_MISMATCH, _ADDRESS_MISMATCH):
        return (
            f"The TLS certificate of {place} is for another name.",
            "Check the host in TRACKLY_BASE_URL; the certificate has to name it.",
        )
    if code == _SELF_SIGNED:
        return f"The TLS certificate of {place} is self-signed, so nobody vouches for it.", _TRUST
    return f"The TLS certificate of {place} comes from an authority that is not trusted here.", _TRUST


def tls_words(error: BaseException) -> str:
    """Return a short reason for a handshake that failed for another cause."""
    reason = str(getattr(error, "reason", None) or "no reason given")
    hint = ", perhaps since the host demands a client certificate" if "HANDSHAKE_FAILURE" in reason else ""
    return f"TLS failed: {reason.replace('_', ' ').lower()}{hint}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
