"""What the API's replies say: rows, refusals, and the texts of its errors.

answer ─▶ pages (broken_rows where a row is no JSON) or refusals (lenient_json, error_text)

What does not belong here: moving bytes (`trackly.transport`), and the answers to imports (`trackly.imports`).
"""
