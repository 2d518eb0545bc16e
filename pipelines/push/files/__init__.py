"""Which files hold history, and how much of them may be read.

    walk (every path, links and pipes named) ─▶ find (files by dataset) ─▶ bounds;  query_statement ─▶ query_inputs

The `query_` modules read what a `.sql` file says, and run nothing. What does not belong here: what stands in a file
(`pipelines.push.parse`), and running a query (`pipelines.push.stage.query_cage`).
"""
