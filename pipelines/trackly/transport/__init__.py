"""Bytes to the API and back: connections, by which way they go, and what their failures mean.

route (proxies, certificates) ─▶ connections ─▶ bodies (bounded); connection_errors, diagnosis

What does not belong here: retries (`trackly.client`), and what a reply says (`trackly.replies`).
"""
