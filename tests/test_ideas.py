"""No idea is used before it is explained: the list of ideas, in the order of the course.

An idea may come earlier where the page links to an explanation at its first use there.
"""

from __future__ import annotations

import functools
import re

import pytest

from tests.test_pages import DOCS, PAGES, text_of
from tools.site.facts import page_text
from tools.site.pages import Heading, Prose, parse

# What the text calls it, as a pattern; and the page that explains it, where it comes first.
IDEAS = {
    r"JWT|access token": "0",
    r"polling|polls": "0",
    r"handshake": "1",
    r"\bASGI\b": "1",
    r"\bWSGI\b": "1",
    r"Daphne": "1",
    r"\bRedis\b": "1",
    r"channel layer": "2",
    r"async_to_sync": "2",
    r"in-memory layer|layer in memory|in the memory of one process": "2",
    r"consumer": "3.1",
    r"event loop": "3.1",
    r"coroutine": "3.1",
    r"`await`": "3.1",
    r"frames?\b": "3.1",
    r"close code": "3.1",
    r"`as_asgi\(\)`": "3.1",
    r"subprotocols?": "3.2",
    r"`?scope`?": "3.2",
    r"middleware": "3.2",
    r"database_sync_to_async": "3.2",
    r"\b4401\b": "3.2",
    r"\b1006\b": "3.2",
    r"`?group_add": "3.3",
    r"channel_name": "3.3",
    r"on_commit": "4",
    r"N\+1": "4",
    r"\bCORS\b": "5.1",
    r"\borigin\b": "5.1",
    r"jitter": "5.2",
    r"\b1012\b": "6.1",
    r"uvicorn": "6.1",
    r"HSTS": "6.2",
    r"WhiteNoise": "6.2",
    r"health check": "6.3",
    r"blueprint": "6.3",
    r"ES modules?": "7.1",
    r"[Ee]xponential backoff": "7.2",
    r"[Ff]ull jitter": "7.2",
    r"[Hh]alf-open": "7.3",
    r"bulk_create": "8.1",
    r"cursor pagination": "8.1",
    r"[Ii]dempotent": "8.2",
    r"query plan": "8.3",
    r"partial\*? index": "8.3",
    r"[Aa]t least once": "9.1",
    r"[Ee]xactly once": "9.1",
    r"\bepoch\b": "9.1",
    r"ON CONFLICT": "9.1",
    r"deadlock": "9.1",
    r"`resume`": "9.2",
    r"\b4503\b": "9.3",
    r"[Tt]ickets?\b": "10.1",
    r"race condition": "10.2",
    r"\b4408\b": "10.2",
    r"preflight": "10.3",
    r"[Bb]lacklist": "11.2",
    r"[Tt]oken bucket": "11.3",
    r"slow loris": "11.3",
    r"heartbeat": "11.4",
    r"select_for_update": "11.4",
    r"[Bb]ackpressure": "11.5",
    r"state machine": "12.1",
    r"[Ll]ost update": "12.2",
    r"[Oo]ptimistic locking": "12.2",
    r"content negotiation": "14.1",
    r"OpenAPI": "14.2",
    r"AsyncAPI": "14.2",
    r"Content Security Policy": "14.2",
    r"Prometheus": "14.3",
    r"\bgauge\b": "14.3",
    r"histogram": "14.4",
    r"[Cc]ardinality": "14.4",
    r"ContextVar": "14.5",
    r"structured log": "14.5",
    r"[Ee]xit status": "15.2",
    r"HTTP/2": "15.3",
    r"ALPN": "15.3",
    r"[Gg]raceful degradation": "15.4",
    r"Server-Sent Events": "15.5",
    r"`?Last-Event-ID": "15.5",
}
# A link to another page, or to a section of one; a picture is no explanation.
LINKED = re.compile(r"(?<!!)\[[^\]]+\]\([^)]*\.md[^)]*\)")
LABELS = ["start", *(page.label for page in PAGES)]


@functools.cache
def paragraphs(label: str) -> list[str]:
    """The paragraphs of a page, in its order; what the sections after the check say is left
    out, because a reader who is there has read all of it."""
    if label == "start":
        text = page_text(DOCS / "start.md")
    else:
        text = next(text_of(page) for page in PAGES if page.label == label)
    found: list[str] = []
    lines: list[str] = []
    for block in parse(text):
        if isinstance(block, Heading) and block.title == "If it fails":
            break
        if isinstance(block, Prose) and block.text and block.text[0] not in "|!":
            lines.append(block.text)
        elif lines:
            found.append("\n".join(lines))
            lines = []
    return found


@pytest.mark.parametrize(("idea", "explained"), IDEAS.items())
def test_idea_is_explained_where_it_comes_first(idea: str, explained: str) -> None:
    """Before the page that explains it, it is linked where a page uses it first."""
    early = []
    for label in LABELS[: LABELS.index(explained)]:
        using = next((text for text in paragraphs(label) if re.search(idea, text)), None)
        if using and not LINKED.search(using):
            early.append(f"{label}: {using.strip()[:160]}")

    assert early == []


@pytest.mark.parametrize(("idea", "explained"), IDEAS.items())
def test_idea_is_on_the_page_that_explains_it(idea: str, explained: str) -> None:
    """The list names the page where the idea is, or this test would prove nothing."""
    assert any(re.search(idea, text) for text in paragraphs(explained))
