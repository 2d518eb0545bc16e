"""What the declarations of marts share: units, columns that mean the same everywhere, and how a mart is declared."""

from typing import Annotated

import msgspec

from schemas.columns import Column, Dataset, Integer, Text

CURRENCY = "account currency"
SHARE = "a share from 0 to 1"

ListId = Annotated[Integer, Column("The list's id; see lists.")]
ListName = Annotated[Text | None, Column("The list's name; null where lists were not pulled.")]


def mart(name: str, row: type[msgspec.Struct], key: tuple[str, ...], doc: str) -> Dataset:
    """Declare a mart.

    Args:
        name: of its view and its `.sql` file.
        row: its columns.
        key: the columns that tell its rows apart: its grain.
        doc: what one row is.
    """
    return Dataset(name=name, row=row, key=key, doc=doc, source="")
