"""Escapes text from outside: one function for each place where it is shown, all based on `plain`.

Text from outside comes from the API, history files, messages, file names and settings. Code that shows it calls the
function for the place: the terminal (`for_terminal`), Slack (`for_slack`), CSV (`for_csv`), Dagster (`for_pages`).
HTML and JSON have their own escaping (jinja2, json); `plain` is for them too. What does not belong here: which text
may be shown at all (personal data: `privacy`), and our own styles.
"""

import json
import re
from typing import Any

_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# U+200C and U+200D stay: Persian and emoji need them
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u180e\u200b\u200e-\u200f\u2028-\u202e\u2060-\u206f"
                     r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")  # fmt: skip
_OPEN_TAG = re.compile(r"\[(?=[a-z#/@][^\[\]]*(?:\[|$))")
_NOTHING = "\u200c"  # a character without width that our consoles do not escape
FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""First characters of texts that a spreadsheet reads as a formula (OWASP's rule); the last four are wide forms."""

_LOOKALIKES = str.maketrans("[]<>`*|#", "()\u2039\u203a'\u2217\u2502\u266f")


def plain(text: str) -> str:
    r"""Return one line without invisible characters that a program would interpret.

    Line ends and tabs become a space. Control characters (the escape of ANSI and OSC sequences among them), marks
    that change the direction of writing, other characters without width, and halves of surrogate pairs are escaped,
    as in `\x1b` and `\u202e`, so that two different texts still look different.
    """
    return _UNSAFE.sub(lambda found: _written_out(found[0]), _BREAKS.sub(" ", text))


def without_controls(text: str) -> str:
    """Do as `plain`, but keep line ends: for text with a layout."""
    return "\n".join(_UNSAFE.sub(lambda found: _written_out(found[0]), line) for line in text.split("\n"))


def for_terminal(text: str) -> str:
    """Return a text for rich's markup that causes no style, link or error. Emoji codes are off on our consoles."""
    from rich.markup import escape  # noqa: PLC0415 - the engine shows nothing at a terminal

    # the effect of an unclosed bracket, or of a backslash at the end, would depend on the following text
    shown = _OPEN_TAG.sub(f"[{_NOTHING}", plain(text))
    return escape(f"{shown}{_NOTHING}" if shown.endswith("\\") else shown)


def for_slack(text: str) -> str:
    """Return a text for a Slack message, without mentions, links or images.

    `&`, `<` and `>` are escaped as Slack says, which ends `<!channel>`, `<@U…>` and `<https://…|label>`. Elsewhere
    `@channel` works without brackets, and bare addresses become links: both are broken visibly.
    """
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = shown.replace("@", "\uff20").replace("://", "[:]//").replace("](", "] (")
    return shown.replace("`", "'").replace("*", "\u2217").replace("~", "\u223c")


def for_csv(value: Any) -> Any:
    """Return a value for a CSV file in which a spreadsheet finds no formula.

    OWASP's rule: a text that begins with `=`, `+`, `-`, `@`, a tab or a line end gets an apostrophe before it, which
    marks a text in spreadsheets. Phone numbers are such texts (`'+15551234567`), and are still read. A push removes
    the apostrophe. Numbers are not texts and stay as they are, also negative ones.
    """
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.startswith(tuple(FORMULA_STARTS)) else value


def for_json(document: str) -> str:
    """Return the same JSON document with more characters escaped, so that a terminal interprets none of its texts."""
    lines = document.replace("\x7f", "\\u007f").split("\n")  # json does not escape DEL
    return "\n".join(_UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], line) for line in lines)


def for_pages(text: str) -> str:
    """Return a text for Dagster's descriptions that looks the same as Markdown and as plain text."""
    return plain(text).translate(_LOOKALIKES).replace("://", "[:]//".translate(_LOOKALIKES))


def _written_out(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def is_plain(text: str) -> bool:
    """Whether `plain` would not change the text."""
    return not (_BREAKS.search(text) or _UNSAFE.search(text))
