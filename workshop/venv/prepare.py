"""Makes `.venv` and installs the locked packages into it. Standard library only."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from workshop.venv.state import (
    STAMP,
    SetupError,
    digest,
    is_ready,
    only_one,
    stamp_text,
    venv_python,
)

# What pip says -> what it means and what to do; the first that matches is told.
CAUSES = (
    (
        r"No space left on device|Errno 28|not enough space on the disk",
        "The disk is full. The packages take about 400 MB: free some space, then start again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError",
        "The certificate of the package index was not accepted, as happens behind a company "
        "proxy. Set the variable PIP_CERT to the file with your company's certificates and start again.",
    ),
    (
        r"ProxyError|407 Proxy|Cannot connect to proxy",
        "The proxy did not let pip through. Check HTTPS_PROXY, then start again.",
    ),
    (
        r"name resolution|getaddrinfo failed|nodename nor servname|NewConnectionError|"
        r"Network is unreachable|No route to host|Connection refused|ConnectTimeout|"
        r"ReadTimeout|Read timed out|Connection reset|Connection aborted|IncompleteRead|"
        r"NameResolutionError|Max retries exceeded",
        "The package index could not be reached. Check the connection, then start again: "
        "what has been downloaded is kept.",
    ),
    (
        r"DO NOT MATCH THE HASHES|HASH mismatch|hash(?:es)? .* do(?:es)? not match",
        "A download is not what the tutorial expects: it was damaged on the way, or something "
        "between you and the package index changed it. Start again; if the message is the same, try another network.",
    ),
    (
        r"No matching distribution found|Could not find a version that satisfies",
        "The package index has no build of a package for this Python and this kind of machine. "
        "Either it could not be reached: then start again with a connection. Or there is none: "
        "Python 3.11 to 3.14 on Linux, macOS and 64-bit Windows are known to work (on Windows "
        "on ARM, the Intel Python).",
    ),
    (
        r"Permission denied|Errno 13|Access is denied",
        "A file could not be written. Check that this folder is yours and that no other "
        "program uses the .venv in it, then start again.",
    ),
)
PROGRESS = re.compile(
    r"^\s*(?:Collecting|Ignoring|Requirement already satisfied:) ([\w.-]+)"
)


def tell(text: str, end: str = "\n") -> None:
    """Say how far it is, on standard error: what a command prints stays its own."""
    print(text, end=end, file=sys.stderr, flush=True)


def prepare(home: Path, python: str) -> None:
    """Bring `home/.venv` to what requirements.txt says, with the interpreter `python`.

    Whatever an interrupted start left is used. Raises SetupError, in words.
    """
    state = home / ".tutorial"
    try:
        with only_one(state / "setup.lock"):
            _prepare(home, python, state / "setup.log")
    except OSError as error:
        raise SetupError(_os_trouble(home, error)) from error


def _prepare(home: Path, python: str, log: Path) -> None:
    if is_ready(home) and _version_of(venv_python(home)) == _stamped_version(home):
        return
    tell("Preparing the tutorial's Python environment (.venv). This happens once and takes about a minute.")
    log.write_text("", "utf-8")
    (home / ".venv" / STAMP).unlink(missing_ok=True)
    version = _make_venv(home, python, log)
    _install(home, python, log)
    temporary = home / ".venv" / (STAMP + ".new")
    temporary.write_text(stamp_text(version, digest(home)), "utf-8")
    temporary.replace(home / ".venv" / STAMP)
    tell("The environment is ready.")


def _make_venv(home: Path, python: str, log: Path) -> tuple[int, int]:
    """Make `.venv` unless a usable one is there; the version of its Python."""
    folder = home / ".venv"
    usable = _version_of(venv_python(home))
    if usable and (folder / "pyvenv.cfg").exists() and _has_packages_folder(folder, usable):
        return usable
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        tell("  the .venv that is here cannot be used: recreating it")
        shutil.rmtree(folder)
    tell("  making the environment")
    command = [python, "-m", "venv", str(folder)]
    if importlib.util.find_spec("ensurepip") is None:
        if importlib.util.find_spec("pip") is None:
            raise SetupError(no_ensurepip())
        command.insert(3, "--without-pip")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    _append(log, command, done.stdout + done.stderr)
    version = _version_of(venv_python(home))
    if done.returncode or version is None:
        shutil.rmtree(folder, ignore_errors=True)
        if "ensurepip" in done.stdout + done.stderr:
            raise SetupError(no_ensurepip())
        raise SetupError(
            explain(
                (done.stdout + done.stderr).splitlines(), log, ".venv could not be created"
            )
        )
    return version


def no_ensurepip() -> str:
    """What to say where Python came without the part that makes environments."""
    debian = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    return (
        "This Python is missing the part that creates virtual environments (ensurepip).\n"
        f"On Debian and Ubuntu: sudo apt install {debian}   (or python3-venv)\n"
        "Then start again."
    )


def _has_packages_folder(folder: Path, version: tuple[int, int]) -> bool:
    """Whether the packages are where this Python looks: not after an upgrade of Python."""
    if os.name == "nt":
        return True
    return (folder / "lib" / f"python{version[0]}.{version[1]}" / "site-packages").is_dir()


def _version_of(python: Path) -> tuple[int, int] | None:
    """(3, 12) for an interpreter that starts and is a virtual environment's; else None."""
    code = "import sys; print(*sys.version_info[:2], sys.prefix != sys.base_prefix)"
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", code], capture_output=True, text=True, timeout=60
        )
        major, minor, inside = done.stdout.split()
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return (int(major), int(minor)) if inside == "True" else None


def _stamped_version(home: Path) -> tuple[int, int] | None:
    first = (home / ".venv" / STAMP).read_text("utf-8").splitlines()[0]
    found = re.fullmatch(r"python (\d+)\.(\d+)", first)
    return (int(found[1]), int(found[2])) if found else None


def pip_command(home: Path, python: str) -> list[str]:
    """How to run pip for `.venv`: its own, or the system's pointed at it."""
    inside = venv_python(home)
    own = subprocess.run([str(inside), "-I", "-c", "import pip"], capture_output=True)
    if own.returncode == 0:
        return [str(inside), "-m", "pip"]
    if importlib.util.find_spec("pip") is None:
        shutil.rmtree(home / ".venv", ignore_errors=True)
        raise SetupError(no_ensurepip())
    return [python, "-m", "pip", "--python", str(inside)]


def _install(home: Path, python: str, log: Path) -> None:
    requirements = home / "requirements.txt"
    command = [
        *pip_command(home, python),
        "install",
        "--require-hashes",
        "--only-binary=:all:",
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "-r",
        str(requirements),
    ]
    total = len(
        re.findall(r"^[\w.\[\]-]+==", requirements.read_text("utf-8"), re.MULTILINE)
    )
    tell(f"  installing {total} packages (the log: {log})")
    lines: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
    ) as pip:
        assert pip.stdout is not None
        try:
            for line in _shown(pip.stdout, total):
                lines.append(line)
        except KeyboardInterrupt:
            pip.wait()
            raise
        finally:
            _append(log, command, "".join(lines))
    if pip.returncode:
        raise SetupError(explain(lines, log, "pip could not install the packages"))


def _shown(output: Iterable[str], total: int) -> Iterable[str]:
    """Pass pip's lines through and show how far it is, on one line of a terminal."""
    live = sys.stderr.isatty()
    seen: set[str] = set()
    for line in output:
        yield line
        found = PROGRESS.match(line)
        if found and found[1].lower() not in seen:
            seen.add(found[1].lower())
            note = f"  {min(len(seen), total):3} of {total}  {found[1]}"
            if live:
                tell(f"\r{note:<60}", end="")
            elif len(seen) % 20 == 0:
                tell(note)
        elif line.startswith("Installing collected"):
            note = "  everything is downloaded; unpacking"
            tell(f"\r{note:<60}" if live else note)


def explain(lines: Iterable[str], log: Path, what: str) -> str:
    """What to say when pip gave up: the cause in words, its last lines, where the log is."""
    lines = [line.rstrip() for line in lines if line.strip()]
    text = "\n".join(lines)
    cause = next(
        (words for pattern, words in CAUSES if re.search(pattern, text, re.I)), None
    )
    told = [line for line in lines if not line.startswith("Ignoring ")]
    said = [f"    {line[:160]}" for line in told[-6:]]
    return "\n".join(
        [
            cause
            or f"The environment is not complete: {what}. Start again to try once more.",
            "",
            "  The last lines were:",
            *(said or ["    (nothing)"]),
            f"  The whole log: {log}",
        ]
    )


def _os_trouble(home: Path, error: OSError) -> str:
    if error.errno == 28:
        return CAUSES[0][1]
    return (
        f"The environment could not be created in {home}: {error.strerror or error} "
        f"({error.filename}). Check that the folder can be written to, then start again."
    )


def _append(log: Path, command: list[str], output: str) -> None:
    with log.open("a", encoding="utf-8") as handle:
        handle.write("$ " + " ".join(command) + "\n" + output + "\n")
