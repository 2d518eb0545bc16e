"""The wire: the only room that imports aiohttp and httpx, and the only one that holds the key.

client (rate_limit; failures ─▶ retries) ─▶ transport (bytes) ─▶ replies ─▶ rows, refusals; imports

`message` is one small message to another address. What does not belong here: what rows mean (`schemas`, `pull`).
"""
