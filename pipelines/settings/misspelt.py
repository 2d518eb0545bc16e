"""Names in the environment and .env that resemble settings and are none, and settings that are given without a value.

Such a setting has no effect. Where that cannot be undone it is refused before anything is read or sent; elsewhere it
is a warning. What does not belong here: what is read (`environment`), and the settings themselves (`declared`).
"""

import logging
import re
from contextlib import suppress
from difflib import SequenceMatcher, get_close_matches
from typing import NamedTuple

from pipelines.errors import SettingsError
from pipelines.settings.declared import PREFIX, Settings
from pipelines.settings.environment import given_texts

PRIVATE = ("HASH_PHONES", "DROP_CUSTOM_FIELDS", "KEEP_MESSAGES")
"""Settings of what is stored: recognized without our prefix, too, and refused without a value."""

NOT_UNDONE = (*PRIVATE, "LEDGER_URL")
"""Settings without which a run stores or drops what it should not, or sends again; none of it can be taken back."""

_KNOWN = tuple(name.upper() for name in Settings.model_fields)
_log = logging.getLogger(__name__)
_OURS = PREFIX.rstrip("_")
_LIKE_OURS = 0.85
"""Least likeness of a misspelt prefix: TRACKY and TRCKLY are ours; TRACK and TRACKER are not."""
_SAME_WORD = 0.8


class Misspelt(NamedTuple):
    """A name that resembles a setting and is none.

    Args:
        name: as it was given.
        meant: the setting that it resembles, with its prefix; "" where it only begins with TRACKLY_.
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
    """Every name that resembles a setting and is none.

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


def blank() -> list[str]:
    """The settings of `PRIVATE` that are given without a value, as by a secret that could not be read.

    Raises:
        OSError, UnicodeDecodeError: .env cannot be read.
    """
    given = {name.upper(): text.strip() for name, text in given_texts().items()}
    return [PREFIX + name for name in PRIVATE if given.get(PREFIX + name) == ""]


def refuse_misspelt() -> None:
    """See that no setting without effect was meant to hold before personal data is stored, or rows are sent.

    Raises:
        SettingsError: one was. Phones that were stored stay stored, and a push with another ledger sends again.
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
    """Log a warning for each name that resembles a setting, for runs that no command has warned."""
    with suppress(OSError, UnicodeDecodeError):  # of .env, which `load_settings` reports
        for one in misspelt():
            if one.meant:
                _log.warning(one.text)


def _resembled(name: str) -> tuple[str, bool] | None:
    """The setting that a name resembles, without its prefix, and whether to refuse it; None for no likeness."""
    if name.removeprefix(PREFIX) in _KNOWN and name.startswith(PREFIX):
        return None
    rest = _without_prefix(name)
    if not rest:
        return _resembled_without_prefix(name)
    meant = _meant(rest)
    if name.startswith(PREFIX) or meant in NOT_UNDONE or rest in _KNOWN:
        return meant, meant in NOT_UNDONE
    return None


def _resembled_without_prefix(name: str) -> tuple[str, bool] | None:
    """The same for a name of no prefix, or another program's: only the whole name of a setting is refused."""
    words = [_stem(word) for word in _words(name)]
    for setting in PRIVATE:
        own = (_stem(word) for word in _words(setting))
        if _letters(name).endswith(_letters(setting)) or all(map(words.__contains__, own)):
            return setting, _letters(name) == _letters(setting)
    return None


def _without_prefix(name: str) -> str:
    """What a name says after our prefix, however that is spelt; "" where it does not begin with it."""
    first, *more = _words(name)
    rest = "_".join(more)
    if first.startswith(_OURS):  # TRACKLY, TRACKLYHASH_PHONES
        return "_".join(filter(None, (first.removeprefix(_OURS), rest)))
    if rest and SequenceMatcher(None, first, _OURS).ratio() >= _LIKE_OURS:
        return rest
    return _run_together(name)


def _run_together(name: str) -> str:
    """A setting of `NOT_UNDONE` behind a misspelt prefix without anything between, as in TRACKYHASH_PHONES."""
    for setting in NOT_UNDONE:
        prefix = _letters(name).removesuffix(_letters(setting))
        if prefix != _letters(name) and SequenceMatcher(None, prefix, _OURS).ratio() >= _LIKE_OURS:
            return setting
    return ""


def _meant(name: str) -> str:
    """The setting that a name without its prefix may stand for, whatever the order of its words; "" for none.

    Any word that no other setting has makes it one of `NOT_UNDONE`: HASH and PHONE are about phones.
    """
    words = [_stem(word) for word in _words(name)]
    for setting in NOT_UNDONE:
        if any(_are_same(word, own) for word in words for own in _own_words(setting)):
            return setting
    by_words = {_sorted_words(one): one for one in _KNOWN}
    found = [
        *get_close_matches(name, _KNOWN, 1),
        *(by_words[close] for close in get_close_matches(_sorted_words(name), by_words, 1)),
    ]
    return found[0] if found else ""


def _own_words(setting: str) -> list[str]:
    others = {word for one in _KNOWN if one != setting for word in _words(one)}
    return [_stem(word) for word in _words(setting) if word not in others]


def _are_same(word: str, other: str) -> bool:
    return abs(len(word) - len(other)) <= 1 and SequenceMatcher(None, word, other).ratio() >= _SAME_WORD


def _stem(word: str) -> str:
    """A word without its ending: HASHED and HASHING are HASH."""
    return re.sub(r"(?<=...)(ED|ING|S)$", "", word)


def _words(name: str) -> list[str]:
    return re.split(r"[^A-Z0-9]+", name.strip("_-. ")) or [""]


def _sorted_words(name: str) -> str:
    return "_".join(sorted(_words(name)))


def _letters(name: str) -> str:
    return "".join(_words(name))
