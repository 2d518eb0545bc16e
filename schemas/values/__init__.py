"""Values that mean the same everywhere: times, money, phone numbers, shares, and the outcomes of a history row.

a text ─▶ instants, money, phones ─▶ a value, or none where it is not of the form

What does not belong here: columns (`schemas.columns`), and what is done with values (`pipelines`).
"""
