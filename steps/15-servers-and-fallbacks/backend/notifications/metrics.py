"""What Prometheus is told about sockets. Every number is about this process alone."""

import time

from prometheus_client import Counter, Gauge, Histogram

OPEN = Gauge("numeneon_sockets_open", "Sockets that are open now")
STREAMS_OPEN = Gauge("numeneon_streams_open", "Streams of events that are open now")
CONNECTS = Counter("numeneon_socket_connects", "Sockets that were accepted")
CLOSES = Counter("numeneon_socket_closes", "Sockets that have ended", ["code"])
FRAMES = Counter("numeneon_frames_sent", "Frames that the server was given to send")
DROPPED = Counter("numeneon_events_dropped", "Events that were lost", ["reason"])
RESUMES = Counter("numeneon_resumes", "Clients that came back", ["outcome"])
DELAY = Histogram(
    "numeneon_publish_to_send_seconds",
    "From publishing an event to sending it to one socket",
    buckets=[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
)

# Those of the protocol, and our own.
CODES = {*range(1000, 1016), 4400, 4401, 4403, 4408, 4429, 4503}


def count_close(code):
    """Count a socket that has ended."""
    # A client may close with any code up to 4999: each would be a number kept forever.
    CLOSES.labels(code if code in CODES else "other").inc()


def observe_delay(message):
    """Measure how long an event was on its way, if the message is one."""
    if "published_at" in message:
        # Never negative: another machine's clock may be ahead of this one.
        DELAY.observe(max(0, time.time() - message["published_at"]))
