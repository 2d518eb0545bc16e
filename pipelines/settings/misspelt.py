"""Finds names in the environment and .env that only resemble settings, and settings without a value.

Such a setting has no effect. If the consequence cannot be undone, it is refused before anything is read or sent;
otherwise it causes a warning. What does not belong here: reading names (`environment`), and the settings themselves
(`declared`).
"""

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import NamedTuple

from pipelines.errors import SettingsError
from pipelines.settings.declared import PREFIX, Settings
from pipelines.settings.environment import given_texts

PRIVATE = ("HASH_PHONES", "DROP_CUSTOM_FIELDS", "KEEP_MESSAGES")
"""Settings about stored data: recognized also without our prefix, and refused without a value."""

NOT_UNDONE = (*PRIVATE, "LEDGER_URL")
"""Settings without which a run would wrongly store, drop or resend data, which cannot be undone."""

_KNOWN = tuple(name.upper() for name in Settings.model_fields)
_log = logging.getLogger(__name__)
_OURS = PREFIX.rstrip("_")
_LIKE_OURS = 0.85
"""Least similarity of a misspelt prefix: TRACKY and TRCKLY are ours; TRACK and TRACKER are not."""
_SAME_WORD = 0.8
_SAME_NAME = 0.95
"""Least similarity of a name with its prefix, without a separator between them."""
_OTHERS = "CUSTOMER"
"""A word that resembles one of ours, but has another meaning."""


class Misspelt(NamedTuple):
    """A name that resembles a setting but is not one.

    Args:
        name: the given name.
        meant: the setting that it resembles, with its prefix; "" if it only begins with TRACKLY_.
        is_refused: whether pulls and pushes refuse to run with it.
    """

    name: str
    meant: str
    is_refused: bool

    @property
    def text(self) -> str:
        """The warning about it."""
        return f"{self.name} is no setting and has no effect; {self.meant} is one."


def misspelt() -> list[Misspelt]:
    """Return every name that resembles a setting but is not one.

    Raises:
        OSError, UnicodeDecodeError: .env cannot be read.
    """
    given = given_texts()
    is_set = {name.upper() for name, text in given.items() if text.strip()}
    found = []
    for name, text in sorted(given.items()):
        if (reading := _resembled(name.upper())) is None:
            continue
        meant, is_refused = reading
        is_set_too = f"{PREFIX}{meant}" in is_set
        if not name.upper().startswith(PREFIX) and (is_set_too or not text.strip()):
            continue  # another program's, as far as we know
        found.append(Misspelt(name, f"{PREFIX}{meant}" if meant else "", is_refused and not is_set_too))
    return found


def is_like_setting(name: str) -> bool:
    """Whether a name is that of a setting or resembles one, in any case of letters."""
    upper = name.upper()
    return _is_setting(upper) or _resembled(upper) is not None


def blank() -> list[str]:
    """Return the settings of `PRIVATE` that are given without a value, as by a secret that cannot be read.

    Raises:
        OSError, UnicodeDecodeError: .env cannot be read.
    """
    given = {name.upper(): text.strip() for name, text in given_texts().items()}
    return [PREFIX + name for name in PRIVATE if given.get(PREFIX + name) == ""]


def refuse_misspelt() -> None:
    """Refuse settings without effect, before personal data is stored or rows are sent.

    Raises:
        SettingsError: there is one; stored phones could not be removed, and a push with another ledger would send
            again.
    """
    with suppress(OSError, UnicodeDecodeError):  # of .env, which `load_settings` reports
        for one in misspelt():
            if one.is_refused:
                raise SettingsError(
                    f"{one.name} is no setting and has no effect; what {one.meant} would do cannot be done "
                    "afterwards.",
                    f"Set {one.meant} if you meant that, and take {one.name} out. Nothing was read or sent.",
                )
        for name in blank():
            raise SettingsError(
                f"{name} is empty and has no effect; what it would do cannot be done afterwards.",
                f"Give {name} a value, or take it out. Nothing was read or sent.",
            )


def warn_of_misspelt() -> None:
    """Log a warning for each name that resembles a setting, for runs without a command that warns."""
    with suppress(OSError, UnicodeDecodeError):  # of .env, which `load_settings` reports
        for one in misspelt():
            if one.meant:
                _log.warning(one.text)


def _is_setting(name: str) -> bool:
    return name.startswith(PREFIX) and name.removeprefix(PREFIX) in _KNOWN


def _resembled(name: str) -> tuple[str, bool] | None:
    """Return the setting that a name resembles, without its prefix, and whether to refuse it.

    None if it resembles none.
    """
    if _is_setting(name):
        return None
    first, *more = _words(name)
    if first.startswith(_OURS):  # TRACKLY, TRACKLYHASH_PHONES
        words = [*filter(None, [first.removeprefix(_OURS)]), *more]
    elif _close(first, {_OURS: _OURS}, _LIKE_OURS):
        words = more
    else:
        return _resembled_without_prefix([first, *more])
    meant = _meant(words)
    is_ours = name.startswith(PREFIX) or meant in NOT_UNDONE or "_".join(words) in _KNOWN
    return (meant, meant in NOT_UNDONE) if is_ours else None


def _resembled_without_prefix(words: list[str]) -> tuple[str, bool] | None:
    """Return the same for a name without a prefix, or with another program's.

    Only a complete setting name is refused.
    """
    if meant := _close("".join(words), _RUN_TOGETHER, _SAME_NAME):
        return meant, True
    for setting in PRIVATE:
        is_whole = "".join(words) == setting.replace("_", "")
        if is_whole or all(_close(own, dict.fromkeys(words, own), _SAME_WORD) for own in _words(setting)):
            return setting, is_whole
    return None


def _meant(words: list[str]) -> str:
    """Return the setting that the words of a name may mean, in any order; "" for none.

    Any word that no other setting has makes it one of `NOT_UNDONE`: HASH and PHONE are about phones.
    """
    for word in words:
        if setting := _close(word, _OWN_WORDS, _SAME_WORD):
            return setting
    return _close("_".join(words), _NAMES) or _close("_".join(sorted(words)), _NAMES)


def _close(text: str, spellings: Mapping[str, str], least: float = 0.6) -> str:
    """Return the meaning of the closest spelling; "" if none is close.

    Args:
        text: the given text.
        spellings: meanings by spelling.
        least: least similarity from 0 to 1, by `difflib`.
    """
    found = get_close_matches(text, spellings, 1, least)
    return spellings[found[0]] if found else ""


def _words(name: str) -> list[str]:
    return re.split(r"[^A-Z0-9]+", name.strip("_-. ")) or [""]


_NAMES = {"_".join(sorted(_words(name))): name for name in _KNOWN} | {name: name for name in _KNOWN}
_OWN_WORDS = {_OTHERS: ""} | {
    word: setting
    for setting in NOT_UNDONE
    for word in _words(setting)
    if not any(word in _words(other) for other in _KNOWN if other != setting)
}
"""Words of `NOT_UNDONE` that no other setting has, each with its setting."""
_RUN_TOGETHER = {_OURS + name.replace("_", ""): name for name in NOT_UNDONE}
