"""A pip, uv, poetry and pipenv that fetch nothing: they link what this machine has.

A build must not change the environment of the person who checks, and needs no network. So
the first programs on its PATH are shell scripts that call this module, with a `Shelf` in
which a fresh install grows: what the build does not install is not there afterwards.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from checks import requirements
from checks.errors import NotYet
from checks.harness.project import Project

# A virtual environment on Render begins with these.
_ALWAYS = ("pip", "setuptools", "wheel")
_WITH_VALUE = {
    "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links",
    "-t", "--target", "--prefix", "--root", "--python", "-p", "--cache-dir", "--log",
    "--progress-bar", "--timeout", "--retries", "--trusted-host", "--only-binary",
    "--no-binary", "--platform", "--python-version", "--implementation", "--abi", "--src",
    "--upgrade-strategy", "-C", "--config-settings", "--proxy", "--cert", "--group",
    "--exists-action", "--default-timeout", "-P", "--upgrade-package", "--index",
}  # fmt: skip


@dataclass(frozen=True)
class Shelf:
    """A folder with what the machine has to offer and what was installed of it so far."""

    folder: Path

    @property
    def packages(self) -> Path:
        """Stands for site-packages of the fresh install."""
        return self.folder / "packages"

    @property
    def programs(self) -> Path:
        """Goes to the front of PATH."""
        return self.folder / "programs"

    @property
    def asked(self) -> list[str]:
        """The command lines of the installers so far."""
        return _lines(self.folder / "asked.txt")

    @property
    def missing(self) -> list[str]:
        """What was asked for and is not on this machine."""
        return _lines(self.folder / "missing.txt")

    @property
    def lists(self) -> list[str]:
        """The requirements files that were installed, as paths."""
        return _lines(self.folder / "lists.txt")

    @property
    def has_everything(self) -> bool:
        """Whether the build's list cannot be read, so that nothing is left out."""
        return Path(f"{self.packages}.everything").exists()

    def note(self, name: str, text: str) -> None:
        with (self.folder / f"{name}.txt").open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    @property
    def is_filled(self) -> bool:
        return (self.folder / "offered.json").exists()

    def offered(self) -> dict[str, Any]:
        """What the machine has (see probes/check_distributions), by canonical name."""
        return json.loads((self.folder / "offered.json").read_text("utf-8"))

    def runs(self, script: Path) -> bool:
        """Whether a script is for the Python that runs the programs of this folder."""
        folder = Path(self.offered()["python"]).parent
        if script.parent != folder or not script.is_file():
            return False
        with script.open("rb") as file:
            first = file.readline(300).decode(errors="replace").strip()
        python = Path(first.removeprefix("#!"))
        return python.is_file() and python.parent.samefile(folder)

    def is_installed(self, name: str) -> bool:
        return self.has_everything or name in _lines(self.folder / "installed.txt")


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def fill(shelf: Shelf, report: dict[str, Any], project: Project) -> None:
    """Prepare an empty shelf; all programs of the machine's packages are out of reach."""
    shelf.packages.mkdir(parents=True)
    distributions = {
        canonicalize_name(name): distribution
        for name, distribution in report["distributions"].items()
    }
    offer = {
        **report,
        "distributions": distributions,
        "root": str(project.root),
        "backend": str(project.backend),
        "python": str(project.python),
        "settings_module": project.settings_module,
    }
    (shelf.folder / "offered.json").write_text(json.dumps(offer), "utf-8")
    for distribution in distributions.values():
        for script in distribution["scripts"]:
            program = shelf.programs / Path(script).name
            if not program.exists():
                program.symlink_to(shelf.programs / "not-installed")
    if any(distribution["entries"] is None for distribution in distributions.values()):
        _install_everything(shelf)
    else:
        _Installation(shelf).add([Requirement(name) for name in _ALWAYS], noted=False)


def command_for(project: Project) -> str:
    """What installs the packages of a project that does not say how it is built."""
    try:
        found = requirements.listings(project)
    except NotYet:  # a line that pip could not read: step 1 says so
        found = []
    files = dict.fromkeys(one.file for one in found if not one.developers and not one.aside)
    lists = [file for file in files if file.endswith((".txt", ".in"))]
    if not lists and "Pipfile" in {Path(file).name for file in files}:
        return "pipenv install"
    if not lists and files:
        folders = dict.fromkeys(Path(file).parent.as_posix() for file in files)
        return f"python -m pip install {' '.join(shlex.quote(f'./{at}') for at in folders)}"
    named = [f"-r {shlex.quote(file)}" for file in lists or ["requirements.txt"]]
    return f"python -m pip install {' '.join(named)}"


class _Installation:
    """Links distributions and what they require, from what the machine offers."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        offer = shelf.offered()
        self._offered = offer["distributions"]
        self._environment = offer["environment"]
        self._seen: set[tuple[str, frozenset[str]]] = set()

    def add(self, wanted: Iterable[Requirement], *, noted: bool = True) -> None:
        for requirement in wanted:
            self._add(requirement, {""}, noted)

    def _add(self, wanted: Requirement, of_extras: set[str], noted: bool) -> None:
        if wanted.marker and not any(
            wanted.marker.evaluate({**self._environment, "extra": extra})
            for extra in of_extras
        ):
            return
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in self._seen:
            return
        self._seen.add((name, extras))
        distribution = self._offered.get(name)
        if distribution is None:
            if noted:
                self._shelf.note("missing", name)
            return
        _link(self._shelf, distribution)
        self._shelf.note("installed", name)
        for text in distribution["requires"]:
            self._add(Requirement(text), {"", *extras}, noted)


def _link(shelf: Shelf, distribution: dict[str, Any]) -> None:
    for entry in map(Path, distribution["entries"] or ()):
        _replace(shelf.packages / entry.name, entry)
        # A module that is a single file is compiled beside it, not inside it as a package is.
        compiled = entry.with_name("__pycache__")
        if entry.suffix == ".py" and compiled.is_dir():
            _replace(shelf.packages / compiled.name, compiled)
    for script in map(Path, distribution["scripts"]):
        if (shelf.programs / script.name).is_symlink():  # the installers are files
            own = shelf.programs / "entry-point" if shelf.runs(script) else script
            _replace(shelf.programs / script.name, own)


def _replace(link: Path, target: Path) -> None:
    """Let `link` lead to `target`; two servers that `uv run` starts may do so at once."""
    if link.is_symlink() and link.readlink() == target:
        return
    new = link.with_name(f"{link.name}.{os.getpid()}")
    new.symlink_to(target)
    new.replace(link)


def _install_everything(shelf: Shelf) -> None:
    Path(f"{shelf.packages}.everything").touch()
    for distribution in shelf.offered()["distributions"].values():
        _link(shelf, {**distribution, "entries": None})


# The command lines


def main(folder: str, tool: str, *words: str) -> str | None:
    """Do what `tool words...` asks for; gives the line that it would print as it fails."""
    shelf = Shelf(Path(folder))
    shelf.note("asked", " ".join([tool, *words]))
    try:
        _do(shelf, tool, list(words))
    except NotYet as error:
        return f"ERROR: {error.found} ({error.look_at})"
    return None


def _do(shelf: Shelf, tool: str, words: list[str]) -> None:
    if tool == "uv" and words[:1] == ["pip"]:
        tool, words = "pip", words[1:]
    if tool.startswith("pip") and tool != "pipenv":
        if words[:1] in (["install"], ["sync"]):
            _pip(shelf, words[1:], sync=words[0] == "sync")
    elif tool == "uv":
        if words[:1] in (["sync"], ["run"]):
            _project(shelf, Path.cwd())
    elif words[:1] in (["install"], ["sync"]):
        _install_everything(shelf)  # lists of poetry and pipenv are not read here


def _pip(shelf: Shelf, words: list[str], *, sync: bool) -> None:
    """Install the lists and packages that follow `pip install`."""
    wanted: list[Requirement] = []
    rest = iter(words)
    for word in rest:
        if word in ("-r", "--requirement"):
            wanted += _listed(shelf, next(rest, ""))
        elif word.startswith("--requirement="):
            wanted += _listed(shelf, word.partition("=")[2])
        elif word.startswith("-r"):
            wanted += _listed(shelf, word[2:])
        elif word in ("-e", "--editable"):
            _project(shelf, Path(next(rest, ".")))
        elif word in _WITH_VALUE:
            next(rest, "")
        elif sync and not word.startswith("-"):
            wanted += _listed(shelf, word)
        elif word.startswith((".", "/")):
            _project(shelf, Path(word.partition("[")[0]))
        elif not word.startswith("-"):
            wanted += _named(word)
    _Installation(shelf).add(wanted)


def _listed(shelf: Shelf, name: str) -> list[Requirement]:
    path = Path(name).resolve()
    if not path.is_file():
        raise NotYet(f"Could not open requirements file: No such file: '{name}'")
    shelf.note("lists", str(path))
    if path.suffix == ".toml":
        _project(shelf, path.parent)
        return []
    entries = requirements.entries_of(path, _described(shelf))
    return [entry.wanted for entry in entries if not entry.constraint]


def _named(word: str) -> Iterator[Requirement]:
    try:
        yield Requirement(word)
    except InvalidRequirement as error:
        raise NotYet(f"Invalid requirement: {word!r}") from error


def _project(shelf: Shelf, folder: Path) -> None:
    """Install what the nearest pyproject.toml of this folder depends on."""
    folder = folder.resolve()
    found = [at / "pyproject.toml" for at in (folder, *folder.parents)]
    file = next((path for path in found if path.is_file()), None)
    if file is None or not file.is_relative_to(shelf.offered()["root"]):
        return
    shelf.note("lists", str(file))
    if "dependencies" in _table_of(file).get("project", {}):
        entries = requirements.entries_of(file, _described(shelf))
        _Installation(shelf).add(entry.wanted for entry in entries)
    else:
        _install_everything(shelf)  # its dependencies are somewhere else


def _table_of(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8", errors="replace"))
    except tomllib.TOMLDecodeError as error:
        raise NotYet(f"{file.name} is not TOML: {error}") from error


def _described(shelf: Shelf) -> Project:
    offer = shelf.offered()
    return Project(
        Path(offer["root"]),
        Path(offer["backend"]),
        Path(offer["python"]),
        offer["settings_module"],
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
