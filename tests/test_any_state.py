"""A learner's project in any state gets a verdict, never a traceback of ours."""

import os
import re
import shutil
import socket

import pytest

import course
from checks.report import line
from checks.results import Report, Status
from checks.runner import Session
from course import processes

pytestmark = pytest.mark.server

SETTINGS = "backend/numeneon/settings.py"
URLS = "backend/numeneon/urls.py"


@pytest.fixture
def project(tmp_path):
    """The last snapshot, for a test to damage."""
    root = tmp_path / "project"
    shutil.copytree(course.steps()[-1].folder, root)
    return root


def judge(root, step=5) -> Report:
    with Session(root) as session:
        return session.run(step)


def only_failure(report: Report):
    """The one item that failed; everything of ours worked."""
    shown = "\n".join(map(line, report.items))
    assert Status.ENVIRONMENT not in {result.status for result in report.items}, shown
    failed = [result for result in report.items if result.status is Status.FAILED]
    assert len(failed) == 1, shown
    return failed[0]


def append(file, text):
    file.write_text(file.read_text("utf-8") + text, "utf-8")


@pytest.mark.parametrize("step", course.steps(), ids=lambda step: step.slug)
def test_empty_folder_is_a_verdict(step, tmp_path):
    """An empty folder fails the first item and says that there is no manage.py."""
    failure = only_failure(judge(tmp_path, step.number))

    assert "no manage.py" in failure.message


@pytest.mark.parametrize("step", course.steps(), ids=lambda step: step.slug)
@pytest.mark.parametrize("file", [SETTINGS, URLS])
def test_syntax_error_names_its_line(file, step, project):
    """A syntax error fails one item, whose message holds the file and the line."""
    lines = (project / file).read_text("utf-8").count("\n")
    append(project / file, "def broken(:\n")
    report = judge(project, step.number)

    if report.status is Status.PASSED:
        # Step 1 is about packages; addresses are not read before a server answers.
        assert step.number == 1 or file == URLS
        return
    failure = only_failure(report)
    assert (failure.file, failure.line) == (file, lines + 1)


def test_missing_dependency_is_named(project):
    """An import that cannot be satisfied is named, with the line that asks for it."""
    append(project / SETTINGS, "import no_such_package\n")

    failure = only_failure(judge(project))

    assert "No module named 'no_such_package'" in failure.message
    assert failure.file == SETTINGS


def test_hanging_start_is_said(project, monkeypatch):
    """A server that never listens is ended, and the message says what was waited for."""
    monkeypatch.setattr(processes, "START_SECONDS", 8)
    append(project / URLS, "import time\nprint('about to wait')\ntime.sleep(3600)\n")
    append(project / "backend/numeneon/asgi.py", "from numeneon import urls\n")

    failure = only_failure(judge(project))

    assert "did not listen within 8 s" in failure.message
    assert "about to wait" in failure.message


def test_server_that_prints_nothing_passes(project):
    """Silence is no failure."""
    append(
        project / "backend/numeneon/asgi.py",
        "import sys\nif 'daphne' in sys.argv[0]:\n    sys.stdout = open('/dev/null', 'w')\n",
    )

    assert judge(project).status is Status.PASSED


def test_server_that_dies_is_one_failure(project):
    """A server that dies after ten requests fails the item it died in, with its last words."""
    (project / "backend/dying.py").write_text(
        "import os\n"
        "def middleware(get_response):\n"
        "    left = [10]\n"
        "    def respond(request):\n"
        "        left[0] -= 1\n"
        "        if left[0] < 0:\n"
        "            print('the end', flush=True)\n"
        "            os._exit(7)\n"
        "        return get_response(request)\n"
        "    return respond\n"
    )
    append(project / SETTINGS, 'MIDDLEWARE = ["dying.middleware", *MIDDLEWARE]\n')

    failure = only_failure(judge(project, 0))

    assert "ended with exit status 7" in failure.message
    assert "the end" in failure.message


def test_busy_port_is_tried_again(project, monkeypatch):
    """A port that somebody took in between costs another try, not a verdict."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1]]
        original = processes.free_port
        monkeypatch.setattr(
            "course.processes.free_port", lambda: ports.pop() if ports else original()
        )

        assert judge(project).status is Status.PASSED


def test_huge_log_is_no_obstacle(project):
    """Megabytes of output, and a line of a megabyte, change nothing."""
    append(
        project / "backend/numeneon/asgi.py",
        "for number in range(50_000):\n    print('a line of a chatty program', number)\n"
        "print('x' * 1_000_000)\n",
    )

    assert judge(project).status is Status.PASSED


def test_windows_line_endings_pass(project):
    """Every Python file with CRLF is as good as with LF."""
    for file in (project / "backend").rglob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

    assert judge(project).status is Status.PASSED


@pytest.mark.parametrize("name", ["mein schöner Ordner", "проект", "项目 #1 & (copy)"])
def test_unusual_path_passes(name, project, tmp_path):
    """A folder may have spaces, non-Latin letters and signs that a shell would eat."""
    root = tmp_path / name
    project.rename(root)

    assert judge(root).status is Status.PASSED


def test_read_only_folder_passes(project):
    """Nothing has to be written in the project."""
    for path in [*project.rglob("*"), project]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert judge(project).status is Status.PASSED
    finally:
        for path in [project, *project.rglob("*")]:
            path.chmod(0o755)


def test_learners_shell_is_not_heard(project, monkeypatch):
    """Variables of somebody's shell cannot lead a check to real data."""
    monkeypatch.setenv("DATABASE_URL", "postgres://real:real@db.example/production")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "somewhere.else")
    monkeypatch.setenv("REDIS_URL", "redis://redis.example:6379")
    monkeypatch.setenv("DEBUG", "false")

    assert judge(project).status is Status.PASSED


def test_missing_interpreter_is_the_environments_fault(project):
    """A virtual environment whose Python has gone is not the learner's code."""
    folder = project / ".venv"
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text("home = /nowhere\n")

    report = judge(project)

    assert report.status is Status.ENVIRONMENT
    assert "cannot be started" in report.items[0].message


def test_two_checks_at_once_do_not_meet(project):
    """Two checks of one project both pass."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(judge, [project, project]))

    assert [report.status for report in reports] == [Status.PASSED] * 2


def test_project_without_backend_folder_passes(project, tmp_path):
    """manage.py may lie in the project's own folder."""
    assert judge(project / "backend").status is Status.PASSED


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_links_are_followed_and_loops_are_not(project):
    """A link to a file is read, a link to the folder above does no harm."""
    settings = project / SETTINGS
    settings.rename(project / "elsewhere.py")
    settings.symlink_to(project / "elsewhere.py")
    (project / "backend/loop").symlink_to(project)

    assert judge(project).status is Status.PASSED


@pytest.mark.parametrize("step", course.steps()[2:6], ids=lambda step: step.slug)
def test_renamed_apps_pass(step, project):
    """The names of apps are the learner's own; addresses and events are the contract."""
    names = {"notifications": "bells", "friends": "buddies", "numeneon": "mysite"}
    for file in [*project.rglob("*.py"), project / "backend/pytest.ini"]:
        text = file.read_text("utf-8")
        for old, new in names.items():
            # Words in code, not parts of addresses such as api/friends/ or ws/notifications.
            text = re.sub(rf"(?<![/\w]){old}(?=[.\"' ,/]|$)(?!/)", new, text, flags=re.M)
        file.write_text(text, "utf-8")
    for old, new in names.items():
        (project / "backend" / old).rename(project / "backend" / new)

    report = judge(project, step.number)

    assert report.status is Status.PASSED, "\n".join(map(line, report.items))
