"""Sends the same over HTTP/1.1 and HTTP/2: python compare_http.py https://localhost:8443"""

import asyncio
import sys
import time

import httpx

REQUESTS = 30
# As many connections to one server as a browser opens for HTTP/1.1.
LIMITS = httpx.Limits(max_connections=6)


async def main(url):
    """Send the same requests with each version, and print a line about it."""
    for http2 in (False, True):
        began = time.perf_counter()
        version, connections = await send_requests(url, http2)
        seconds = time.perf_counter() - began
        print(f"{version:9}connections: {connections}, seconds: {seconds:.2f}")


async def send_requests(url, http2):
    """Send all at the same time. Return the version, and the number of connections."""
    opened = []

    async def trace(event, info):
        """Called by httpx for each thing that happens while it sends a request."""
        if event == "connection.connect_tcp.complete":
            opened.append(info)

    async with httpx.AsyncClient(base_url=url, http2=http2, limits=LIMITS) as client:
        answers = await asyncio.gather(
            *(
                client.get("/api/v1/health/", extensions={"trace": trace})
                for _ in range(REQUESTS)
            )
        )
    return answers[0].http_version, len(opened)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
