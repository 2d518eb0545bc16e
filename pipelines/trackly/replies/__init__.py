"""The contents of the API's replies: rows, refusals, and the texts of its errors.

answer ─▶ pages (broken_rows if a row is not JSON) or refusals (lenient_json, error_text)

What does not belong here: moving bytes (`trackly.transport`), and the answers to imports (`trackly.imports`).
"""
