# ruff: noqa: INP001 - mkdocs loads it by its path
"""A hook of mkdocs: where the theme is not as this documentation needs it, and has no setting for it."""

from pathlib import Path
from typing import Any

_GENERATED = {"reference.md": 0.3, "data-dictionary.md": 0.5, "troubleshooting.md": 0.3}
"""Pages that have every word of the code, and how much a hit there counts beside one on a page about it."""

_WIDTHS = {"76.25em": "72em", "76.234375em": "71.984375em"}
"""From which width of a window the navigation stands beside the text: 1,152 pixels, so that 1,200 have it."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Weigh the page for the search."""
    if page.file.src_uri in _GENERATED:
        page.meta.setdefault("search", {"boost": _GENERATED[page.file.src_uri]})
    return markdown


def on_post_build(config: Any) -> None:
    """Move the width in the theme's styles and in the script that knows it too."""
    for path in Path(config.site_dir, "assets").rglob("*"):
        if path.suffix in (".css", ".js"):
            text = path.read_text(encoding="utf-8")
            for theirs, ours in _WIDTHS.items():
                text = text.replace(theirs, ours)
            path.write_text(text, encoding="utf-8")
