"""The built pages as they go over the wire: types, caching, and what no path leads to.

They are held in memory: only what a build made can be served.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
PACKED = {".css", ".html", ".js", ".json", ".svg", ".txt", ".xml"}
# A name that changes with its content, such as main.484c7ddc.min.css.
HASHED = re.compile(r"\.[0-9a-f]{8,}\.")
# The reader's own experiments in the browser's console go to servers of this machine.
EXPERIMENTS = " ".join(
    f"{scheme}://{host}:*"
    for host in ("127.0.0.1", "localhost")
    for scheme in ("http", "ws")
)
# Nothing at all may leave the machine.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:; "
    f"connect-src 'self' {EXPERIMENTS}; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
WAITING = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<title>Building the pages</title></head>
<body><p>The pages are being built. This one reloads by itself.</p></body></html>
"""


@dataclass(frozen=True)
class File:
    """One built file as it goes over the wire; a `lasting` one never changes."""

    name: str
    body: bytes

    @property
    def type(self) -> str:
        return TYPES.get(Path(self.name).suffix, "application/octet-stream")

    @property
    def lasting(self) -> bool:
        return bool(HASHED.search(self.name))

    @functools.cached_property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    @functools.cached_property
    def packed(self) -> bytes | None:
        """The gzip form, made when it is first asked for; None if that is no smaller."""
        if Path(self.name).suffix not in PACKED:
            return None
        made = gzip.compress(self.body, 6, mtime=0)
        return made if len(made) < len(self.body) else None


@dataclass(frozen=True)
class StaticResponse:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Site:
    """The pages of one build, by their path in an address (`/steps/05-asgi/`).

    `version` is the same for two builds that made the same pages.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    version: str = ""

    def answer(self, target: str, headers: Mapping[str, str]) -> StaticResponse:
        """Respond to a GET of `target`, as the request has it; never raises."""
        path = unquote(target.partition("?")[0], errors="replace")
        found = self.files.get(path)
        if found:
            return _found(found, headers)
        if f"{path}/" in self.files:
            return StaticResponse(
                301, HEADERS | {"Location": f"{target.partition('?')[0]}/"}
            )
        if not self.files:
            waiting = {"Content-Type": TYPES[".html"], "Cache-Control": "no-store"}
            return StaticResponse(503, HEADERS | waiting, WAITING)
        missing = self.files.get("/404.html")
        body = missing.body if missing else b"There is no such page.\n"
        kind = missing.type if missing else TYPES[".txt"]
        return StaticResponse(
            404, HEADERS | {"Content-Type": kind, "Cache-Control": "no-cache"}, body
        )


def _found(file: File, headers: Mapping[str, str]) -> StaticResponse:
    keep = "max-age=31536000, immutable" if file.lasting else "no-cache"
    common = HEADERS | {"ETag": file.etag, "Cache-Control": keep, "Vary": "Accept-Encoding"}
    if headers.get("If-None-Match") == file.etag:
        return StaticResponse(304, common)
    typed = common | {"Content-Type": file.type}
    if "gzip" in headers.get("Accept-Encoding", "") and file.packed:
        return StaticResponse(200, typed | {"Content-Encoding": "gzip"}, file.packed)
    return StaticResponse(200, typed, file.body)


def load(folder: Path, token: str) -> Site:
    """Read a built site.

    Every page carries, in its html tag, the token that lets it talk to the tool, and the
    version by which it knows that it is out of date.
    """
    bodies = {
        path: path.read_bytes() for path in sorted(folder.rglob("*")) if _served(path)
    }
    seen = hashlib.sha256()
    for path, body in bodies.items():
        if path.suffix != ".xml":  # a sitemap has the day of the build in it
            seen.update(path.name.encode() + b"\0" + hashlib.sha256(body).digest())
    version = seen.hexdigest()[:16]
    mark = f'<html data-live="{token}" data-site="{version}" '.encode()
    files: dict[str, File] = {}
    for path, body in bodies.items():
        name = "/" + path.relative_to(folder).as_posix()
        page = path.suffix == ".html"
        files[name] = File(path.name, body.replace(b"<html ", mark, 1) if page else body)
        if path.name == "index.html":
            files[name.removesuffix("index.html")] = files[name]
    return Site(files, version)


def _served(path: Path) -> bool:
    return path.is_file() and path.suffix not in {".map", ".gz"}
