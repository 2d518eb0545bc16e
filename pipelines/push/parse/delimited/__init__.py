"""Reads delimited text (`.csv`, `.tsv`, `.txt`) as records with their places.

lines ─▶ dialect (delimiter, quote) ─▶ fast_blocks (plain blocks, as columns) or reader (record by record) ─▶
row_fit

What does not belong here: bytes and encodings (`parse.text`), and what the texts mean (`values`).
"""
