"""Saves the plain data of an account to a file, so that it can be served again.

What does not belong here: faults, options and webhooks, which are not saved.
"""

import json
from dataclasses import fields
from pathlib import Path

from pipelines.sandbox.account import Account

_OF_ONE_SERVING = ("log",)
_CONTACTS = "contacts"


def save(account: Account, path: Path) -> None:
    """Write an account to a file, completely or not at all."""
    plain = {name: getattr(account, name) for name in _kept(account)}
    content = json.dumps({**plain, _CONTACTS: account.contacts()[::-1]})
    draft = path.with_suffix(".draft")
    draft.write_text(content, encoding="utf-8")
    draft.replace(path)


def load(path: Path) -> Account:
    """The account that `save` wrote.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file holds no account.
    """
    account = Account()
    found = json.loads(path.read_text(encoding="utf-8"))
    for name in _kept(account):
        if name in found:
            setattr(account, name, found[name])
    for row in found[_CONTACTS]:
        account.add_contact(row)
    return account


def _kept(account: Account) -> list[str]:
    named = (field.name for field in fields(account) if not field.name.startswith("_"))
    return [n for n in named if n not in _OF_ONE_SERVING and isinstance(getattr(account, n), list | dict)]
