"""HTTP with Trackly: the only package that imports aiohttp and httpx, and the only one that holds the key.

client (rate_limit; failures ─▶ retries) ─▶ transport (bytes) ─▶ replies ─▶ rows, refusals; imports

`post_elsewhere` posts to an address other than the API's. What does not belong here: what rows mean (`schemas`,
`pull`).
"""
