"""Values that mean the same everywhere: times, money, phone numbers, shares, and the outcomes of a history row.

a text ─▶ instants, money, phones ─▶ a value, or none if the form is wrong

What does not belong here: columns (`schemas.columns`), and the use of values (`pipelines`).
"""
