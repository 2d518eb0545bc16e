"""Checks of settings: each returns the value to use, or raises ValueError with the problem.

What does not belong here: which setting has which check (`declared`), and addresses in general (`text.urls`).
"""

import re
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from pipelines.text.exact import has_odd_port, is_day, is_number, is_port
from pipelines.text.sanitize import plain
from pipelines.text.urls import plain_file, problem_of, problem_of_base

if TYPE_CHECKING:
    import sqlalchemy as sa

_KEY_LENGTH = len("trk_") + 32
_SHORTEST_SECRET = 16
_MOST_SECRETS = 2
_LEAST_RATE = 0.001
_FIRST_DAY = "1970-01-01"
_DATABASES = ("sqlite", "postgresql")
_EXAMPLES = "for example postgresql://user@host:5432/db or sqlite:////srv/ledger.db"
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>.*))?")


def stripped(value: object) -> object:
    """Strip white space: with a key, it is a common cause of 401 (/api-reference/v2/authentication)."""
    return value.strip() or None if isinstance(value, str) else value


def folder(value: Path | None) -> Path | None:
    """A folder below the home folder where it begins with ~, as in a shell: .env and systemd leave that as it is."""
    try:
        return value and value.expanduser()
    except RuntimeError:
        raise ValueError(
            "must not begin with ~ and a name that is no user's; an absolute path may hold any"
        ) from None


def key(value: SecretStr | None) -> SecretStr | None:
    """Check an API key: trk_ and 32 characters, documented as "hex" on some pages and "alphanumeric" on others."""
    if value is None:
        return None
    text = value.get_secret_value()
    if not text.startswith("trk_"):
        raise ValueError("must begin with trk_")
    if len(text) != _KEY_LENGTH:
        raise ValueError(f"must have 32 characters after trk_, this one has {len(text) - len('trk_')}")
    if not (text.isascii() and text[4:].isalnum()):
        raise ValueError("may hold only letters and digits after trk_")
    return value


def long_secret(value: object) -> object:
    """Check the length of a secret: all phone numbers can be tried out, so only the secret protects their hashes."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or not text.strip():
        return None
    if len(text.strip()) < _SHORTEST_SECRET:
        raise ValueError(f"must have at least {_SHORTEST_SECRET} characters; try: openssl rand -hex 32")
    return text.strip()


def base_url(value: object) -> object:
    """Check the address of the API, and return it without a slash at its end."""
    if not isinstance(value, str):
        return value
    url = value.strip()
    if problem := problem_of_base(url):
        raise ValueError(problem)
    scheme, _, rest = url.rstrip("/").partition("://")
    return f"{scheme.lower()}://{rest}"


def webhook(value: SecretStr | None) -> SecretStr | None:
    """Check an http or https address, which may be a secret."""
    if value is not None and (problem := problem_of(value.get_secret_value())):
        raise ValueError(problem.replace("for a local account", "for this machine"))
    return value


def one_or_two(value: SecretStr | None) -> SecretStr | None:
    """Check one or two secrets: with an empty secret anyone could sign, and a third one was probably not removed."""
    parts = value.get_secret_value().split(",") if value is not None else []
    if len(parts) > _MOST_SECRETS or not all(part.strip() for part in parts):
        raise ValueError("must be one secret, or two with a comma between")
    return value


def currency(value: str | None) -> str | None:
    """Check a currency code of three letters, and return it in capitals."""
    code = value.strip().upper() if value else None
    if code and not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise ValueError("must be the three letters of a currency, such as USD")
    return code


def time_zone(value: str | None) -> str | None:
    """Check a name of the time zone database."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - keeps help fast

    try:
        return value and ZoneInfo(value).key
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone such as America/New_York") from None


def day(value: object) -> object:
    """Check a date; a number is refused, which the library would read as seconds since 1970."""
    if isinstance(value, str) and not is_day(value):
        raise ValueError("must be a date, such as 2020-01-31")
    if isinstance(value, str) and value < _FIRST_DAY:
        raise ValueError(f"must be a date from {_FIRST_DAY} on")
    return value


def number(value: object, *, whole: bool) -> object:
    """Check a number in plain digits; other forms, such as 1_000 or 1e3, are ambiguous to people."""
    if isinstance(value, str) and not is_number(value, whole=whole) and _is_read_as_number(value):
        raise ValueError(f"must be written in digits alone, such as {'1000' if whole else '1000 or 0.5'}")
    return value


def _is_read_as_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def rate(value: float) -> float:
    """Check a rate; a request in years is a mistake, and too long to wait."""
    if 0 < value < _LEAST_RATE:
        raise ValueError(f"must be 0, or at least {_LEAST_RATE}")
    return value


def ledger_url(value: str | None) -> str | None:
    """Check the URL of a database that outlives the process and whose driver is installed."""
    if value is not None and plain_file(value) is None and (problem := _problem_of_database(value)):
        raise ValueError(f"{problem}; {_EXAMPLES}")
    return value


def _problem_of_database(url: str) -> str:
    """Return why a text is not the URL of a database; "" if it is."""
    import sqlalchemy as sa  # noqa: PLC0415 - it takes longer to be imported than status takes

    try:
        found = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # ValueError if a port is not a number
        return "must have a port from 1 to 65535" if has_odd_port(url) else "must be the URL of a database"
    if has_odd_port(url):
        return "must have a port from 1 to 65535"
    kind = found.drivername.partition("+")[0]
    if kind not in _DATABASES:
        return f"must begin with postgresql:// or sqlite://, {plain(kind)}:// is not supported"
    if kind == "sqlite" and found.database in (None, "", ":memory:"):
        return "must name a file or a server, since a ledger has to outlive the process"
    try:
        with_driver(found).get_dialect().import_dbapi()
    except (sa.exc.NoSuchModuleError, ImportError):
        driver = plain(with_driver(found).drivername)
        return f"needs a driver that is not installed ({driver}), pip install 'psycopg[binary]' brings PostgreSQL's"
    return ""


def with_driver(url: "sa.URL") -> "sa.URL":
    """Return the URL with the maintained PostgreSQL driver, if it names none."""
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def dagster_url(value: str | None) -> str | None:
    """Check Dagster's database URL.

    Dagster supports only one PostgreSQL driver, which is not SQLAlchemy's default.
    """
    if value is not None and not value.startswith("postgresql+psycopg2://"):
        raise ValueError("must begin with postgresql+psycopg2://")
    if value is not None and has_odd_port(value):
        raise ValueError("must have a port from 1 to 65535")
    return value


def hosts(value: str | None) -> str | None:
    """Check host names; a name that no request can have would silently have no effect."""
    for host in (value or "").split(","):
        found = _HOST.fullmatch(host.strip())
        if host.strip() and not (found and (found["port"] is None or is_port(found["port"]))):
            raise ValueError("must be host names with commas between, such as sync.example.com")
    return value
