"""A deployment somewhere on the network, seen through the one address that was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from checks.errors import EnvironmentFault, NotYet
from checks.harness import client
from checks.harness.client import Answer, Socket
from course import contract
from course.contract import SOCKET_PATH, TOKEN_WAYS

# A free service sleeps when nobody asks it anything, and takes up to a minute to wake.
WAKING_SECONDS = 90.0


@dataclass
class Remote:
    """The deployment at a URL; no other host is ever contacted, no redirect followed."""

    host: str
    port: int
    tls: bool
    way: str = TOKEN_WAYS[0]

    @classmethod
    def at(cls, url: str) -> Self:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise EnvironmentFault(
                f"{url!r} is not the URL of a deployment",
                todo="give it as --url https://NAME.onrender.com",
            )
        tls = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls)

    @property
    def origin(self) -> str:
        usual = self.port == (443 if self.tls else 80)
        place = self.host if usual else f"{self.host}:{self.port}"
        return f"{'https' if self.tls else 'http'}://{place}"

    def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One HTTP request; raises NotYet if no answer comes."""
        try:
            return client.request(
                self.port, method, path, host=self.host, tls=self.tls, **options
            )
        except client.NoAnswer as error:
            raise NotYet(
                f"{self.origin}: {error}",
                expected="the deployment answers",
                todo="look at the service's events and log in Render's dashboard",
            ) from error

    def socket(
        self,
        token: str | None = None,
        *,
        path: str = SOCKET_PATH,
        way: str | None = None,
        patience: float = client.PATIENCE,
    ) -> Socket:
        """Open a WebSocket as a page of the deployment would."""
        way, base = way or self.way, self.origin.replace("http", "ws", 1)
        headers = contract.headers_of(token, way)
        return Socket.open(
            contract.address_of(base, token, way, path=path),
            origin=None if headers else self.origin,
            subprotocols=contract.subprotocols_of(token, way),
            headers=headers,
            patience=patience,
        )
