"""The commands of `trackly-sync`: one module per command, named after it.

arguments ─▶ the engine ─▶ `terminal` (text, tables, JSON)

`rollback` has `replay` as well; `push_dry_run` is what `push --dry-run` prints. What does not belong here: how
commands end and which arguments they share (`shared`), and anything that another program would want to call.
"""
