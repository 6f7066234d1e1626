"""COUNT small GETs with Python's aiohttp and CONCURRENCY coroutines, each decoded: get_aiohttp.py URL COUNT CONCURRENCY."""
import asyncio
import sys

import aiohttp

url, count, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
headers = {"Accept": "application/json", "Authorization": "Bearer 0123456789abcdef"}


async def share(session, left):
    for _ in left:
        async with session.get(url) as answer:
            answer.raise_for_status()
            assert (await answer.json())["id"] == 12345


async def main():
    left = iter(range(count))
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        await asyncio.gather(*(share(session, left) for _ in range(concurrency)))


asyncio.run(main())
