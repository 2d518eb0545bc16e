"""Forms of phone numbers: E.164 (/api-reference/v2/overview), and other common forms.

What does not belong here: hashing them (`pipelines.privacy`), and the checks of columns (`schemas.columns`).
"""

E164 = r"\+[1-9][0-9]{6,14}"
"""A regular expression for Python, RE2 (DuckDB) and pandas, without anchors."""

_GAP = "(?:[\\s\u00a0\u2000-\u200a\u202f\u3000().+/\\x00\u2010-\u2015-]|%2[0-9A-Fa-f]){0,5}"
"""Separators between digits; spaces beyond ASCII are listed, since RE2 does not match them as white space."""


def like_a_number(digit: str) -> str:
    r"""Return a regular expression for text that could be a phone number: seven digits or more, with separators.

    Args:
        digit: one digit of any script: `\d` for Python, `\p{N}` for RE2 (DuckDB).
    """
    return f"{digit}(?:{_GAP}{digit}){{6,}}"
