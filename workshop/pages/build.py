"""The pages: built from docs/ into .tutorial/site, then held in memory to be served.

A build that fails, or a missing mkdocs, is told in words and ends nothing: the pages that
were there before stay. Only what a build made can be served, so no path leads elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from course.files import write_text
from course.terminal import say
from workshop.home import Home

# What the pages are made from, relative to the checkout.
SOURCES = ("mkdocs.yml", "docs", "steps", "tools", "checks", "course")
BUILD_SECONDS = 300
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
# Nothing but the reader's own experiments (connect-src) may leave the machine.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:; "
    "connect-src *; frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
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


class BuildError(Exception):
    """The pages could not be built; the text holds what the generator said last."""


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
        """Respond to a GET of `target`, as it stands in the request; never raises."""
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


def trouble(home: Home) -> str:
    """Why the pages cannot be built here, in words; '' if they can."""
    if not (home.root / "mkdocs.yml").is_file():
        return "The pages are not shown: this copy has no mkdocs.yml."
    for package in ("mkdocs", "material"):
        if importlib.util.find_spec(package) is None:
            return "The pages are not shown: the package mkdocs-material is not installed."
    return ""


def fingerprint(home: Home) -> str:
    """What tells one state of the sources from another: names, sizes, times."""
    seen = hashlib.sha256(sys.version.encode())
    for path in _sources(home):
        with contextlib.suppress(OSError):
            stat = path.stat()
            name = path.relative_to(home.root).as_posix()
            seen.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def _sources(home: Home) -> Iterator[Path]:
    for name in SOURCES:
        place = home.root / name
        if place.is_file():
            yield place
        for folder, folders, names in os.walk(place):
            folders[:] = sorted(set(folders) - {"__pycache__"})
            yield from (Path(folder, each) for each in sorted(names))


class Builder:
    """Keeps a Site up to date in a thread of its own: at the start, and when sources change."""

    def __init__(self, home: Home, token: str, changed: Callable[[], None]) -> None:
        """`changed` is called, in that thread, whenever there is a new `site`."""
        self.home = home
        self.site = Site()
        self._token = token
        self._changed = changed
        self._stop = threading.Event()
        self._whole = False  # whether the folder holds a build of all pages, by us
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        process = self._process
        if process:
            with contextlib.suppress(OSError):
                process.kill()
        self._thread.join(5)

    @property
    def folder(self) -> Path:
        return self.home.state / "site"

    @property
    def stamp(self) -> Path:
        """Says from which state of the sources the folder was built."""
        return self.home.state / "site.stamp"

    def _run(self) -> None:
        if (self.folder / "index.html").is_file():
            self._show(self.folder)
        built = self._stamped() if self.site.files else ""
        self._whole = bool(built)
        for changed in self._moments():
            now = fingerprint(self.home)
            if now != built:
                self._build(now, changed)
                built = now

    def _stamped(self) -> str:
        try:
            return self.stamp.read_text("utf-8")
        except OSError:
            return ""

    def _moments(self) -> Iterator[set[Path]]:
        """Now, and after each change of the sources, with what changed, until the end."""
        from watchfiles import watch

        from workshop.commands.watch import polling

        yield set()
        places = [self.home.root / name for name in SOURCES]
        # The first pass without news is for what changed before it was looked for.
        new = True
        for seen in watch(
            *(place for place in places if place.exists()),
            debounce=200,
            step=40,
            stop_event=self._stop,
            rust_timeout=1000,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=polling(self.home.root),
            ignore_permission_denied=True,
        ):
            if seen or new:
                yield {Path(path) for _, path in seen}
            new = False

    def _build(self, state: str, changed: set[Path]) -> None:
        """Build what is needed; what goes wrong is said, and the pages stay as they are."""
        try:
            if self._whole and changed and all(map(self._is_page, changed)):
                self._build_pages()
            else:
                self._build_all(state)
        except (BuildError, OSError) as error:
            if not self._stop.is_set():
                say(f"The pages could not be built: {error}", "The checks go on without.")

    def _is_page(self, source: Path) -> bool:
        """Whether this is the text of one page, which was built before."""
        docs = self.home.root / "docs"
        if source.suffix != ".md" or not source.is_file() or docs not in source.parents:
            return False
        page = source.relative_to(docs).with_suffix("")
        folder = page.parent if page.name == "index" else page
        return (self.folder / folder / "index.html").is_file()

    def _build_all(self, state: str) -> None:
        with scratch(self.home.state) as folder:
            self._generate(folder)
            self._show(folder)
            self._whole = False
            self._keep(folder, state)
            self._whole = self._stamped() == state

    def _build_pages(self) -> None:
        """Build the changed pages only, into the last whole build.

        Other pages keep an old title in their navigation, and the search what it knew: the
        next start builds all anew.
        """
        index = self.folder / "search" / "search_index.json"
        whole = index.read_bytes()
        self.stamp.unlink(missing_ok=True)
        try:
            self._generate(self.folder, "--dirty")
        finally:
            index.write_bytes(whole)  # mkdocs wrote one of the changed pages alone
        self._show(self.folder)

    def _generate(self, target: Path, *options: str) -> None:
        command = [sys.executable, "-m", "mkdocs", "build", "--quiet", *options]
        self._process = subprocess.Popen(
            [*command, "--site-dir", target],
            cwd=self.home.root,
            env=os.environ
            | {"PYTHONPATH": str(self.home.root), "NO_MKDOCS_2_WARNING": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            said, _ = self._process.communicate(timeout=BUILD_SECONDS)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            raise BuildError(f"mkdocs took more than {BUILD_SECONDS} seconds.") from error
        if self._process.returncode:
            text = said.decode("utf-8", errors="replace").strip()
            raise BuildError("mkdocs stopped:\n" + "\n".join(text.splitlines()[-8:]))

    def _show(self, folder: Path) -> None:
        self.site = load(folder, self._token)
        self._changed()

    def _keep(self, folder: Path, state: str) -> None:
        """Keep a build for the next start. Another tutorial.py may do the same meanwhile."""
        with contextlib.suppress(OSError):
            self.stamp.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            folder.rename(self.folder)
            write_text(self.stamp, state)


@contextlib.contextmanager
def scratch(state: Path) -> Iterator[Path]:
    """A folder to build into, removed at the end unless it was moved away."""
    state.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="site-", dir=state))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
