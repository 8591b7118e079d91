"""The programs in front of a build's PATH: the project's Python, and installers of our own."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import checks
from checks.harness.warm import PROBES
from checks.render.installer import Shelf

_OURS = Path(checks.__file__).parent.parent
# Without the guard, which is for the learner's code; -P: their folder holds no module of ours.
_INSTALL = "env -u NUMENEON_CHECK PYTHONPATH={ours} {python} -P -m checks.render.installer"
# A virtual environment that the build makes itself is this folder under another name.
_VENV = """\
make_venv() {{
    for last; do :; done
    case "$last" in "" | -* | [0-9]*) last=.venv ;; esac
    mkdir -p "$last" && ln -sfn {programs} "$last/bin"
}}
"""
_PYTHON = """\
if [ "$1" = -m ]; then
    case "$2" in
        pip | uv | poetry | pipenv) tool=$2; shift 2; exec {programs}/$tool "$@" ;;
        venv | virtualenv) shift 2; make_venv "$@"; exit ;;
    esac
fi
exec {run} "$@"
"""
# What pip makes of a package's entry point: a Python script in the folder of that Python.
_ENTRY_POINT = 'exec {run} {scripts}/"${{0##*/}}" "$@"\n'
_UV = """\
case "$1" in
    venv) shift; make_venv "$@"; exit ;;
    sync) {install} uv "$@" && make_venv; exit ;;
    run) {install} uv "$@" || exit; shift ;;
    *) exec {install} uv "$@" ;;
esac
while :; do
    case "$1" in
        --directory) cd "$2" || exit; shift 2 ;;
        --with | --with-requirements | --group | --only-group | --no-group | --extra) shift 2 ;;
        --python | -p | --env-file | --project | --package | --index | --index-url) shift 2 ;;
        -m | --module) shift; exec {programs}/python -m "$@" ;;
        --) shift; break ;;
        -*) shift ;;
        *) break ;;
    esac
done
case "$1" in *.py) exec {programs}/python "$@" ;; esac
exec "$@"
"""
_RUNNER = """\
if [ "$1" = run ]; then shift; exec "$@"; fi
exec {install} {tool} "$@"
"""
# What bash itself would print; its own line number is of no use to anybody.
_NOT_INSTALLED = """\
echo "bash: ${0##*/}: command not found" >&2
exit 127
"""


def write_programs(shelf: Shelf, python: Path, desk: Path | None) -> None:
    """Fill the shelf's folder of programs; `python` is the project's interpreter.

    At the `desk` it is asked for a process that is forked (see harness/desk.py).
    """
    folder = shelf.programs
    folder.mkdir(parents=True)
    words = {"ours": shlex.quote(str(_OURS)), "python": shlex.quote(sys.executable)}
    words = {
        "install": f"{_INSTALL.format(**words)} {shlex.quote(str(shelf.folder))}",
        "programs": shlex.quote(str(folder)),
        "run": shlex.join(map(str, [python, *_forked_at(desk)])),
        "scripts": shlex.quote(str(python.parent)),
    }
    for name in ("pip", "pip3"):
        _write(folder / name, f'exec {words["install"]} pip "$@"\n')
    for name in ("poetry", "pipenv"):
        _write(folder / name, _RUNNER.format(tool=name, **words))
    _write(folder / "uv", (_VENV + _UV).format(**words))
    for name in ("python", "python3"):
        _write(folder / name, (_VENV + _PYTHON).format(**words))
    _write(folder / "not-installed", _NOT_INSTALLED)
    _write(folder / "entry-point", _ENTRY_POINT.format(**words))
    _write(folder / "activate", "# PATH leads here already.\n")


def _forked_at(desk: Path | None) -> list[str | Path]:
    """Options and a script for the interpreter, which keep its start short."""
    return ["-IS", PROBES / "forked_program.py", desk] if desk else []


def _write(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}", "utf-8")
    path.chmod(0o755)
