"""The report: one page of HTML about a warehouse.

figures (a query each, in `queries/`) ─▶ charts, amounts ─▶ page (`templates/`) ─▶ write (the file)

What does not belong here: marts, which the queries read (`pipelines.warehouse.marts`), and the command (`cli`).
"""

PAGE = "report.html"
"""Default name of the page in the data directory."""
