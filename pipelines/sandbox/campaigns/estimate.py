"""How long a message is by the documentation's rule, which ignores the encoding (/creatives/get-creative)."""

import re

LINK = re.compile(r"\{\{(link[0-9]+)\}\}")
_LINK_LENGTH = 23
_COMPLIANCE_LENGTH = 34


def estimate(message: str) -> tuple[int, int]:
    """Characters and segments: a link counts as 23, and 34 are added for the text of compliance."""
    characters = len(LINK.sub("x" * _LINK_LENGTH, message)) + _COMPLIANCE_LENGTH
    return characters, 1 if characters <= 160 else -(-characters // 153)
