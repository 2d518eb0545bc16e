"""The wire: the only room that imports httpx. Client, paging replies, import endpoints."""
