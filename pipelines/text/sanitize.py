"""Text from outside made harmless: one function for each place where it is shown, all of them over `plain`.

From outside is what the API, history files, messages, file names and settings hold. Whoever shows it calls the
function of the place: the terminal (`for_terminal`), Slack (`for_slack`), CSV (`for_csv`), Dagster (`for_pages`).
HTML and JSON have their own escaping (jinja2, json); `plain` is for them too. What does not belong here: what may be
shown at all (personal data: `privacy`), and styles of our own.
"""

import json
import re
from typing import Any

_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
# U+200C and U+200D are left: Persian and emoji need them
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u180e\u200b\u200e-\u200f\u2028-\u202e\u2060-\u206f"
                     r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")  # fmt: skip
_OPEN_TAG = re.compile(r"\[(?=[a-z#/@][^\[\]]*(?:\[|$))")
_NOTHING = "\u200c"  # of no width, and not among the unsafe ones, which our consoles write out
FORMULA_STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""What a text begins with that a spreadsheet takes for a formula (OWASP's rule); the last four are wide forms."""

_LOOKALIKES = str.maketrans("[]<>`*|#", "()\u2039\u203a'\u2217\u2502\u266f")


def plain(text: str) -> str:
    r"""One line without anything that a reader's program obeys and a reader does not see.

    Line ends and tabs become a space. Control characters (the escape of ANSI and OSC sequences among them), marks
    that turn the direction of writing, other characters without width, and halves of surrogate pairs are written
    out, as in `\x1b` and `\u202e`: two texts that differ still look different.
    """
    return _UNSAFE.sub(lambda found: _written_out(found[0]), _BREAKS.sub(" ", text))


def without_controls(text: str) -> str:
    """As `plain`, but lines stay lines: for what has been laid out already."""
    return "\n".join(_UNSAFE.sub(lambda found: _written_out(found[0]), line) for line in text.split("\n"))


def for_terminal(text: str) -> str:
    """As part of markup of rich: no style, link or error comes of it. Emoji codes are off on our consoles."""
    from rich.markup import escape  # noqa: PLC0415 - the engine shows nothing at a terminal

    # what a bracket that is not closed does, or a backslash at the end, would depend on what comes after it
    shown = _OPEN_TAG.sub(f"[{_NOTHING}", plain(text))
    return escape(f"{shown}{_NOTHING}" if shown.endswith("\\") else shown)


def for_slack(text: str) -> str:
    """In a message of Slack, or of what takes its messages: nobody is called, nothing is a link or an image.

    `&`, `<` and `>` are escaped as Slack says, which ends `<!channel>`, `<@U…>` and `<https://…|label>`. Elsewhere
    `@channel` works without brackets, and bare addresses become links: both are broken visibly.
    """
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = shown.replace("@", "\uff20").replace("://", "[:]//").replace("](", "] (")
    return shown.replace("`", "'").replace("*", "\u2217").replace("~", "\u223c")


def for_csv(value: Any) -> Any:
    """A value of a CSV file that somebody may open in a spreadsheet: no text is a formula.

    OWASP's rule: a text that begins with `=`, `+`, `-`, `@`, a tab or a line end gets an apostrophe before it, which
    spreadsheets take for "this is text". Phone numbers are such texts (`'+15551234567`), and are still read. A push
    takes the apostrophe away. Numbers are no texts and stay as they are, negative ones too.
    """
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.startswith(tuple(FORMULA_STARTS)) else value


def for_json(document: str) -> str:
    """A JSON document whose texts a terminal does not obey: the same document, more of its characters escaped."""
    lines = document.replace("\x7f", "\\u007f").split("\n")  # json takes DEL for a letter
    return "\n".join(_UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], line) for line in lines)


def for_pages(text: str) -> str:
    """In Dagster's descriptions, which are Markdown on some of its pages and text on others: the same on both."""
    return plain(text).translate(_LOOKALIKES).replace("://", "[:]//".translate(_LOOKALIKES))


def _written_out(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def is_plain(text: str) -> bool:
    """Whether `plain` would leave it as it is."""
    return not (_BREAKS.search(text) or _UNSAFE.search(text))
