"""Bytes to and from the API: connections, their route, and the meaning of their failures.

route (proxies, certificates) ─▶ connections ─▶ bodies (bounded); connection_errors, diagnosis

What does not belong here: retries (`trackly.client`), and the contents of replies (`trackly.replies`).
"""
