"""One-time tickets: what a browser opens a socket with, in place of its access token."""

import hashlib
import secrets

from django.core.cache import cache

LIFETIME = 30  # seconds


def issue(claims, origin):
    """Return a new ticket: it opens one socket with these claims, from a page of this origin."""
    ticket = secrets.token_urlsafe(16)  # 16 bytes: 128 random bits
    cache.set(key_of(ticket, origin), claims, timeout=LIFETIME)
    return ticket


def redeem(ticket, origin):
    """Return the ticket's claims, once; nothing if the ticket is not valid (any more)."""
    key = key_of(ticket, origin)
    claims = cache.get(key)
    # Two sockets may have read the same ticket: delete() returns True for one of them.
    return claims if cache.delete(key) else {}


def key_of(ticket, origin):
    """Return a ticket's key: a hash, so that nobody who reads the cache learns a ticket."""
    # With another origin the key is another one, and there is no such ticket.
    return "ticket-" + hashlib.sha256(f"{ticket} {origin}".encode()).hexdigest()
