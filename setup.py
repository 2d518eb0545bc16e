"""What pyproject.toml cannot say: the README as a package index shows it, where relative links lead nowhere."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

_LINK = re.compile(r"\[([^\]]+)\]\((?!https?://|#|mailto:)([^)]+)\)")
_IMAGE = re.compile(r"!\[[^\]]+\]\((?!https?://)[^)]+\)\n*")


def index_page(readme: str, repository: str | None) -> str:
    """The README without its images, its relative links led to the repository, or text while that has no address.

    Args:
        readme: its Markdown.
        repository: the address of the repository.
    """
    to = rf"[\1]({repository.rstrip('/')}/blob/main/\2)" if repository else r"\1"
    return _LINK.sub(to, _IMAGE.sub("", readme))


if __name__ == "__main__":
    root = Path(__file__).parent
    urls = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    setup(
        long_description=index_page((root / "README.md").read_text(encoding="utf-8"), urls.get("Repository")),
        long_description_content_type="text/markdown",
    )
