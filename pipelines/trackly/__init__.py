"""The wire: the only room that imports aiohttp and httpx. Client, paging replies, import endpoints."""
