"""COUNT small GETs with Python's httpx, each decoded: get_httpx.py URL COUNT CONCURRENCY.

One at a time with its plain client, above that with its asynchronous one and CONCURRENCY coroutines."""
import asyncio
import sys

import httpx

url, count, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
headers = {"Accept": "application/json", "Authorization": "Bearer 0123456789abcdef"}


def check(answer):
    answer.raise_for_status()
    assert answer.json()["id"] == 12345


def one_at_a_time():
    with httpx.Client(headers=headers, trust_env=False) as client:
        for _ in range(count):
            check(client.get(url))


async def share(client, left):
    for _ in left:
        check(await client.get(url))


async def many_at_a_time():
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    left = iter(range(count))
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60, trust_env=False) as client:
        await asyncio.gather(*(share(client, left) for _ in range(concurrency)))


if concurrency == 1:
    one_at_a_time()
else:
    asyncio.run(many_at_a_time())
