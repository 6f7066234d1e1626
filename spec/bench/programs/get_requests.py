"""COUNT small GETs with Python's requests over one session, each decoded: get_requests.py URL COUNT CONCURRENCY.

Above 1 at a time there are CONCURRENCY threads, which is how requests is used then."""
import sys
from concurrent.futures import ThreadPoolExecutor

import requests

url, count, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=concurrency))
session.headers.update({"Accept": "application/json", "Authorization": "Bearer 0123456789abcdef"})


def get_one(_):
    answer = session.get(url)
    answer.raise_for_status()
    assert answer.json()["id"] == 12345


if concurrency == 1:
    for number in range(count):
        get_one(number)
else:
    with ThreadPoolExecutor(concurrency) as pool:
        for _ in pool.map(get_one, range(count)):
            pass
