"""Which files hold history, and how large their contents may be.

    walk (every path, links and pipes named) ─▶ find (files by dataset) ─▶ bounds;  query_statement ─▶ query_inputs

The `query_` modules read the text of a `.sql` file; they run nothing. What does not belong here: the content of files
(`pipelines.push.parse`), and running a query (`pipelines.push.stage.query_cage`).
"""
