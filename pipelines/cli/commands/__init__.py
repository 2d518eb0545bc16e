"""The commands of `trackly-sync`: one module per command, named after it.

arguments ─▶ the engine ─▶ `terminal` (text, tables, JSON)

Each command has a module in this folder, so that it is found by its name. `app` has the groups of the help. `replay`
is in the module `rollback`. The checks or the output of a long command are in a module whose name begins with the
command's name: `doctor_checks`, `push_dry_run`, `push_results`, `resolve_emptied`, `resolve_lists`. What does not
belong here: how commands end and which arguments they share (`shared`), and anything that another program would
want to call.
"""
