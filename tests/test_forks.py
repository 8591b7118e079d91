"""Programs that are forked from an interpreter with the libraries: each as if started alone."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

from checks.harness import warm
from checks.harness.forks import ForkServer, NoAnswer, can_fork
from checks.harness.warm import ForkedInterpreters
from course.processes import Process, prints, wait_until

pytestmark = [
    pytest.mark.server,
    pytest.mark.xdist_group("forks"),
    pytest.mark.skipif(not can_fork(), reason="programs are not forked on this system"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    """One for all programs of this file, as in a run."""
    made = ForkServer(Path(sys.executable), warm.environment() | {"NUMENEON_WARM": "1"})
    yield made
    made.close()


def run(server: ForkServer, folder: Path, script: str, *args: str, **env: str) -> Process:
    """A program `manage.py` in that folder, begun by that server."""
    (folder / "manage.py").write_text(script)
    argv = [sys.executable, "manage.py", *args]
    return Process(argv, cwd=folder, env=warm.environment() | env, start=server.start)


def told(process: Process) -> str:
    """What it printed, once it has ended."""
    assert process.wait(60) is not None
    return process.log()


def test_program_meets_what_it_would_meet_alone(server: ForkServer, tmp_path: Path) -> None:
    """Its arguments, folder, variables, path and name are its own, and it leads its group."""
    script = (
        "import json, os, sys\n"
        "print(json.dumps([sys.argv, os.getcwd(), os.environ['NAME'], sys.path[0],\n"
        "    __name__, os.getpid() == os.getpgrp(), 'HOME' in os.environ]))\n"
    )
    process = run(server, tmp_path, script, "one", "two", NAME="its own", HOME="here")

    assert json.loads(told(process)) == [
        ["manage.py", "one", "two"],
        str(tmp_path),
        "its own",
        str(tmp_path),
        "__main__",
        True,
        True,
    ]


LIBRARIES = """
import importlib, json, sys, warm_interpreter
found = {}
for name in warm_interpreter.LIBRARIES:
    try:
        importlib.import_module(name)
    except Exception as error:
        found[name] = repr(error)
for name in ("rest_framework.views", "twisted.internet.reactor"):
    if name in sys.modules:
        found[name] = "is there"
print(json.dumps(found))
"""


def test_libraries_need_no_settings() -> None:
    """Each can be imported without a project. What reads its settings while it is imported,
    as the views of the REST framework do, is not among them; nor is an event loop."""
    argv = [sys.executable, "-c", LIBRARIES]
    process = Process(
        argv, cwd=warm.PROBES, env=warm.environment() | {"NUMENEON_WARM": "1"}
    )

    assert json.loads(told(process)) == {}


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("", 0),
        ("import sys; sys.exit(7)", 7),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_exit_status_is_the_programs(
    server: ForkServer, tmp_path: Path, script: str, status: int
) -> None:
    """It ends with the status that it would have ended with alone."""
    assert run(server, tmp_path, script).wait(10) == status


def test_number_of_a_process_is_used_again(server: ForkServer, tmp_path: Path) -> None:
    """The system gives numbers again: how an earlier process ended is no news of this one."""
    first = run(server, tmp_path, "")
    assert told(first) == ""
    server._statuses.update(dict.fromkeys(range(32_768), -9))

    wait = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\nprint('done')"
    process = run(server, tmp_path, wait)
    assert process.exit_code is None
    (tmp_path / "go").touch()

    assert told(process) == "done"
    assert process.exit_code == 0


def test_traceback_is_printed(server: ForkServer, tmp_path: Path) -> None:
    """What stops it is in its log, with its own file and line."""
    log = told(run(server, tmp_path, "\n1 / 0\n"))

    assert "ZeroDivisionError" in log
    assert 'manage.py", line 2' in log


def test_programs_share_nothing_of_the_project(server: ForkServer, tmp_path: Path) -> None:
    """A module of the project that one imported and changed is new to the next."""
    (tmp_path / "own_module.py").write_text("STATE = ['fresh']\n")
    script = "import own_module, django; print(own_module.STATE, hasattr(django, 'MINE'))\n"
    script += "own_module.STATE[:] = ['used']; django.MINE = True\n"

    assert told(run(server, tmp_path, script)) == "['fresh'] False"
    assert told(run(server, tmp_path, script)) == "['fresh'] False"


def test_module_with_the_name_of_a_library_is_the_projects(
    server: ForkServer, tmp_path: Path
) -> None:
    """A redis.py beside manage.py hides the package, as it does when started alone."""
    (tmp_path / "redis.py").write_text("MINE = True\n")

    assert told(run(server, tmp_path, "import redis; print(redis.MINE)")) == "True"


def test_command_runs_in_another_folder(server: ForkServer, tmp_path: Path) -> None:
    """`python backend/manage.py` finds the modules beside manage.py, libraries' names too."""
    backend = tmp_path / "backend"
    backend.mkdir()
    (backend / "redis.py").write_text("MINE = True\n")
    (backend / "manage.py").write_text("import os, redis; print(redis.MINE, os.getcwd())")
    argv = [sys.executable, str(backend / "manage.py")]

    process = Process(argv, cwd=tmp_path, env=warm.environment(), start=server.start)

    assert told(process) == f"True {tmp_path}"


def test_program_ends_with_us(server: ForkServer, tmp_path: Path) -> None:
    """Once killed it is gone, and what it started with it."""
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = run(server, tmp_path, script)
    assert wait_until(lambda: process.printed > 0, seconds=60)
    process.kill()

    assert process.exit_code == -signal.SIGKILL
    assert wait_until(lambda: not _runs(int(process.log())), seconds=60)


def test_end_of_the_server_is_no_end_of_the_run(tmp_path: Path) -> None:
    """A project that kills its parent has killed our server: we still hear that it ended."""
    server = ForkServer(Path(sys.executable), warm.environment() | {"NUMENEON_WARM": "1"})
    script = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"

    assert run(server, tmp_path, script).wait(10) is not None
    with pytest.raises(NoAnswer):
        run(server, tmp_path, "")
    assert not server.usable
    server.close()


def test_new_packages_make_it_stale(tmp_path: Path) -> None:
    """After an install a program sees the new package, and the next run starts a new server."""
    packages = tmp_path / "packages"
    packages.mkdir()
    path = os.pathsep.join([warm.environment()["PYTHONPATH"], str(packages)])
    server = ForkServer(
        Path(sys.executable),
        warm.environment() | {"NUMENEON_WARM": "1", "PYTHONPATH": path},
    )
    assert told(run(server, tmp_path, "print('before')", PYTHONPATH=path)) == "before"
    assert server.usable

    os.utime(packages, (1, 1))
    (packages / "just_installed.py").write_text("NEWS = True\n")
    script = (
        "import just_installed, sys; print(just_installed.NEWS, 'django' in sys.modules)"
    )

    assert told(run(server, tmp_path, script, PYTHONPATH=path)) == "True True"
    assert not server.usable
    server.close()


@pytest.fixture
def interpreters() -> Iterator[ForkedInterpreters]:
    """What starts the programs of a run."""
    made = ForkedInterpreters()
    yield made
    made.close()


def typed(
    interpreters: ForkedInterpreters, folder: Path, script: str, command: str, **plan: str
) -> Process:
    """A shell command that runs `python manage.py` as a blueprint's does."""
    (folder / "manage.py").write_text(script)
    client = str(warm.PROBES / "forked_program.py")
    python = shlex.join([sys.executable, "-IS", client, str(interpreters.desk())])
    argv = ["bash", "-c", command.replace("PYTHON", f"{python} manage.py")]
    return Process(argv, cwd=folder, env=warm.environment(**plan))


FORKED = "import sys; print('django' in sys.modules, flush=True)\n"


def test_program_of_a_shell_command_is_forked(
    interpreters: ForkedInterpreters, tmp_path: Path
) -> None:
    """It reads and writes what the shell gave it, and its status goes on to the shell."""
    script = f"{FORKED}print(input(), sys.argv, file=sys.stderr)\nsys.exit(7)"
    command = "echo hello | PYTHON one 2>said; echo $?; cat said"
    process = typed(interpreters, tmp_path, script, command)

    assert told(process).split("\n") == ["True", "7", "hello ['manage.py', 'one']"]


def test_signal_to_a_shell_command_reaches_its_program(
    interpreters: ForkedInterpreters, tmp_path: Path
) -> None:
    """It ends by the signal that ended its program, or as that one chooses to."""
    wait = f"import signal, time\n{FORKED}time.sleep(60)"
    process = typed(interpreters, tmp_path, wait, "exec PYTHON")
    assert prints(process, "True", seconds=60)
    process.ask_to_end()
    assert process.wait(60) == -signal.SIGTERM

    handler = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
    process = typed(interpreters, tmp_path, f"import sys\n{handler}{wait}", "exec PYTHON")
    assert prints(process, "True", seconds=60)
    process.ask_to_end()
    assert process.wait(60) == 5


def test_program_of_a_shell_command_ends_with_it(
    interpreters: ForkedInterpreters, tmp_path: Path
) -> None:
    """What kills the shell kills the process that was forked for it."""
    script = f"{FORKED}import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    process = typed(interpreters, tmp_path, script, "PYTHON; true")
    assert wait_until(lambda: process.printed > 1, seconds=60)
    process.kill()

    assert wait_until(lambda: not _runs(int(process.log().split()[1])), seconds=60)


def test_program_sees_only_what_is_installed(
    interpreters: ForkedInterpreters, tmp_path: Path
) -> None:
    """One that sees a single package is forked where nothing else was ever imported."""
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "django").symlink_to(Path(django.__file__).parent)
    script = "import sys; print(*{'django', 'channels', 'redis'} & sys.modules.keys())\n"
    script += "import channels"
    process = typed(interpreters, tmp_path, script, "PYTHON", packages=str(packages))

    log = told(process)
    assert log.startswith("django\n")
    assert "No module named 'channels'" in log


def _runs(pid: int) -> bool:
    """Whether it runs; one that has ended may be listed until somebody asks for its status."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[
            0
        ] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
