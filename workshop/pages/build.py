"""Builds the pages from docs/ into .tutorial/site, at the start and when a source changes.

A build that fails, or a missing mkdocs, is told in words and ends nothing: the pages that
were there before stay.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from course.files import write_text
from course.processes import Process, supervised
from course.scratch import SITE, scratch_folder
from course.terminal import say
from workshop.home import Home
from workshop.pages.static import Site, load

# What the pages are made from, relative to the checkout.
SOURCES = ("mkdocs.yml", "docs", "steps", "tools", "checks", "course")
BUILD_SECONDS = 300


class BuildError(Exception):
    """The pages could not be built; the text holds what the generator said last."""


def trouble(home: Home) -> str:
    """Why the pages cannot be built here, in words; '' if they can."""
    if not (home.root / "mkdocs.yml").is_file():
        return "The pages are not available: this copy has no mkdocs.yml."
    for package in ("mkdocs", "material"):
        if importlib.util.find_spec(package) is None:
            return (
                "The pages are not available: the package mkdocs-material is not installed."
            )
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
    """Keeps a Site up to date in a thread of its own: at the start, and when sources change.

    Only that thread writes `site`, and replaces it as a whole: whoever reads it elsewhere
    sees the old one or the new one.
    """

    def __init__(self, home: Home, token: str, changed: Callable[[], None]) -> None:
        """`changed` is called, in that thread, whenever there is a new `site`."""
        self.home = home
        self.site = Site()
        self._token = token
        self._changed = changed
        self._stop = threading.Event()
        self._whole = False  # whether the folder holds a build of all pages, by us
        self._process: Process | None = None
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        process = self._process
        if process:
            process.kill()
        self._thread.join(5)  # it looks at _stop once a second; see rust_timeout

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
                say(
                    f"The pages could not be built: {error}",
                    "The checks continue without them.",
                )

    def _is_page(self, source: Path) -> bool:
        """Whether this is the text of one page, which was built before."""
        docs = self.home.root / "docs"
        if source.suffix != ".md" or not source.is_file() or docs not in source.parents:
            return False
        page = source.relative_to(docs).with_suffix("")
        folder = page.parent if page.name == "index" else page
        return (self.folder / folder / "index.html").is_file()

    def _build_all(self, state: str) -> None:
        self.home.state.mkdir(parents=True, exist_ok=True)
        with scratch_folder(SITE, self.home.state) as scratch:
            folder = scratch / "site"  # mkdocs empties the folder that it builds into
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
        # Supervised: a build does not outlive us, and so writes into no folder that the next
        # start removes.
        process = self._process = supervised(
            [*command, "--site-dir", target],
            cwd=self.home.root,
            env=os.environ
            | {"PYTHONPATH": str(self.home.root), "NO_MKDOCS_2_WARNING": "1"},
        )
        try:
            if self._stop.is_set():  # __exit__() was quicker, and has seen no process
                raise BuildError("it was stopped.")
            status = process.wait(BUILD_SECONDS)
            if status is None:
                raise BuildError(f"mkdocs took more than {BUILD_SECONDS} seconds.")
            if status:
                raise BuildError(f"mkdocs stopped:\n{process.log(8).strip()}")
        finally:
            process.kill()

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
