"""Writes plain data as YAML: block style, with every text quoted as in JSON, which is valid YAML.

What does not belong here: reading YAML, and the meaning of the data.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NOT_TEXTS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that are not texts in YAML unless they are quoted."""


def yaml_text(value: Mapping[str, Any]) -> str:
    """A mapping of texts, numbers, flags, lists and mappings as a YAML document."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _entry(f"{json.dumps(key) if key in _NOT_TEXTS else key}:", inner)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for inner in value:
            first, *rest = _lines(inner)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield json.dumps(value, ensure_ascii=False)


def _entry(key: str, value: Any) -> Iterator[str]:
    lines = list(_lines(value))
    if not isinstance(value, (Mapping, list, tuple)) or not value:
        yield f"{key} {lines[0]}"
    else:
        yield key
        yield from (f"  {line}" for line in lines)
