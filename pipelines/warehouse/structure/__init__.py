"""The structure of a warehouse file: its tables and views, its version, and how it is opened.

connection ─▶ empty_warehouse: tables, views, derived_views ─▶ version (older ones are completed)

What does not belong here: rows (`warehouse.publish`), and how the file is replaced (`warehouse.swap`).
"""
