"""A learner's project in any state gets a verdict, never a traceback of ours."""

import os
import shutil
import socket
import sys
import time
from pathlib import Path

import pytest

import course
from checks.harness.client import PATIENCE
from checks.report import line
from checks.results import Report, Status
from checks.runner import Session
from course import processes
from course.deadline import patient
from tests.variants.venvs import python_of

pytestmark = pytest.mark.server

SETTINGS = "backend/numeneon/settings.py"
URLS = "backend/numeneon/urls.py"
ASGI = course.step("asgi").number
LAST = course.steps()[-1]


@pytest.fixture
def project(tmp_path):
    """A snapshot for a test to damage: the last one whose consumer is in one file."""
    return copied(course.step("resume"), tmp_path)


@pytest.fixture
def finished(tmp_path):
    """The last snapshot, for a test to damage."""
    return copied(LAST, tmp_path)


def copied(step, folder):
    root = folder / "project"
    shutil.copytree(step.folder, root)
    return root


@pytest.fixture
def judge(shared):
    """Judge a project with what the sessions of these tests share; the report."""

    def judged(root, step=ASGI, reached=None) -> Report:
        with Session(root, **shared) as session:
            return session.run(step, reached=reached)

    return judged


def judge_alone(root, step=ASGI) -> Report:
    """The same with nothing that was there before, as a learner's check begins."""
    with Session(root) as session:
        return session.run(step)


def line_of(file: Path, text: str) -> int:
    """The number of the first line that holds this text."""
    return next(
        n for n, line in enumerate(file.read_text().splitlines(), 1) if text in line
    )


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
def test_empty_folder_is_a_verdict(step, tmp_path, judge):
    """An empty folder fails the first item and says that there is no manage.py."""
    failure = only_failure(judge(tmp_path, step.number))

    assert "no manage.py" in failure.message


@pytest.mark.parametrize("step", course.steps(), ids=lambda step: step.slug)
@pytest.mark.parametrize("file", [SETTINGS, URLS])
def test_syntax_error_names_its_line(file, step, finished, judge):
    """A syntax error fails one item, whose message holds the file and the line."""
    lines = (finished / file).read_text("utf-8").count("\n")
    append(finished / file, "def broken(:\n")
    report = judge(finished, step.number, LAST.number)

    if step.number == 1:  # which is about packages: it runs nothing of the project
        assert report.status is Status.PASSED
        return
    failure = only_failure(report)
    assert (failure.file, failure.line) == (file, lines + 1), failure.message


def test_missing_dependency_is_named(project, judge):
    """An import that cannot be satisfied is named, with the line that asks for it."""
    append(project / SETTINGS, "import no_such_package\n")

    failure = only_failure(judge(project))

    assert "No module named 'no_such_package'" in failure.message
    assert failure.file == SETTINGS


def test_hanging_start_is_said(project, monkeypatch, judge):
    """A server that never listens is ended, and the message says what was waited for."""
    monkeypatch.setattr(processes, "START_SECONDS", 8)
    append(project / URLS, "import time\nprint('about to wait')\ntime.sleep(3600)\n")
    append(project / "backend/numeneon/asgi.py", "from numeneon import urls\n")

    failure = only_failure(judge(project))

    assert "did not listen within 8 s" in failure.message
    assert "about to wait" in failure.message
    assert (failure.file, failure.line) == (URLS, line_of(project / URLS, "time.sleep"))


def test_connect_that_blocks_the_server_is_the_place(project, judge):
    """A line of connect() that waits without await stops all sockets: it is named."""
    waiting = '        user = self.scope["user"]\n'
    replace(project / CONSUMERS, waiting, f"        time.sleep(3600)\n{waiting}")
    replace(project / CONSUMERS, "\n\nfrom channels", "\n\nimport time\n\nfrom channels")

    failure = only_failure(judge(project))

    line = line_of(project / CONSUMERS, "time.sleep")
    assert f"does not get past {CONSUMERS}, line {line}" in failure.message
    assert (failure.file, failure.line) == (CONSUMERS, line)


def test_server_that_prints_nothing_passes(project, judge):
    """Silence is no failure."""
    append(
        project / "backend/numeneon/asgi.py",
        "import sys\nif 'daphne' in sys.argv[0]:\n    sys.stdout = open('/dev/null', 'w')\n",
    )

    assert judge(project).status is Status.PASSED


def test_server_that_dies_is_one_failure(project, judge):
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

    assert "exited with status 7" in failure.message
    assert "the end" in failure.message


def test_busy_port_is_tried_again(project, monkeypatch, judge):
    """A port that somebody took in between costs another try, not a verdict."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1]]
        original = processes.free_port
        monkeypatch.setattr(
            "course.processes.free_port", lambda: ports.pop() if ports else original()
        )

        assert judge(project).status is Status.PASSED


def test_huge_log_is_no_obstacle(project, judge):
    """Megabytes of output, and a line of a megabyte, change nothing."""
    append(
        project / "backend/numeneon/asgi.py",
        "for number in range(50_000):\n    print('a line of a chatty program', number)\n"
        "print('x' * 1_000_000)\n",
    )

    assert judge(project).status is Status.PASSED


def test_windows_line_endings_pass(project, judge):
    """Every Python file with CRLF is as good as with LF."""
    for file in (project / "backend").rglob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

    assert judge(project).status is Status.PASSED


@pytest.mark.parametrize("name", ["mein schöner Ordner", "проект", "项目 #1 & (copy)"])
def test_unusual_path_passes(name, project, tmp_path, judge):
    """A folder may have spaces, non-Latin letters and signs that a shell would eat."""
    root = tmp_path / name
    project.rename(root)

    assert judge(root).status is Status.PASSED


def test_read_only_folder_passes(project, judge):
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

    assert judge_alone(project).status is Status.PASSED


def test_missing_interpreter_is_the_environments_fault(project):
    """A virtual environment whose Python has gone is not the learner's code."""
    folder = project / ".venv"
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text("home = /nowhere\n")

    report = judge_alone(project)

    assert report.status is Status.ENVIRONMENT
    assert "cannot be started" in report.items[0].message


def test_two_checks_at_once_do_not_meet(project):
    """Two checks of one project both pass."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(judge_alone, [project, project]))

    assert [report.status for report in reports] == [Status.PASSED] * 2


def test_project_without_backend_folder_passes(project, tmp_path, judge):
    """manage.py may lie in the project's own folder."""
    assert judge(project / "backend").status is Status.PASSED


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_links_are_followed_and_loops_are_not(project, judge):
    """A link to a file is read, a link to the folder above does no harm."""
    settings = project / SETTINGS
    settings.rename(project / "elsewhere.py")
    settings.symlink_to(project / "elsewhere.py")
    (project / "backend/loop").symlink_to(project)

    assert judge(project).status is Status.PASSED


# Projects that never end, never stop, or send what nobody can hold

CONSUMERS = "backend/notifications/consumers.py"
# A run has 110 seconds (checks.runner.RUN_SECONDS); a hostile project uses up what a few
# waits of one item take.
HOSTILE_SECONDS = patient(100)


@pytest.fixture
def judged_in_time(project, judge):
    """Judge the project, which must have its verdict in time; the report."""

    def judged(step=ASGI):
        start = time.monotonic()
        report = judge(project, step)
        assert time.monotonic() - start < HOSTILE_SECONDS
        return report

    return judged


def replace(file, old, new):
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{file} holds {old!r} not exactly once"
    file.write_text(text.replace(old, new), "utf-8")


TALK = 'while True:\n{0}    await self.send_json({{"type": "tick"}})\n'
TALK_WITH_PAUSES = TALK + "{0}    await asyncio.sleep(0)\n"
# It stops the event loop as well as one without the line: that one would keep a processor
# busy for as long as the checklist waits, half a minute.
TALK_TO_ITSELF = TALK + "{0}    time.sleep(0.001)\n"


def talk_to_strangers(project, talk):
    """Accept a stranger's socket, and send frame after frame instead of closing it."""
    imports = "\n\nimport asyncio\nimport time\n\nfrom channels"
    replace(project / CONSUMERS, "\n\nfrom channels", imports)
    indent = " " * 12
    closing = f"{indent}await self.close(code=4401)\n"
    replace(project / CONSUMERS, closing, indent + talk.format(indent))


def test_socket_that_never_stops_talking_fails(project, judged_in_time):
    """A stranger's socket that sends frame after frame is no refusal, and costs no patience."""
    talk_to_strangers(project, TALK_WITH_PAUSES)

    failure = only_failure(judged_in_time())

    assert failure.id == "asgi.refuses-no-token"
    assert "more and more frames" in failure.message


def test_server_that_talks_to_itself_is_one_failure(project, judged_in_time):
    """A loop that never yields stops the whole server: one failure, the rest waits for it."""
    talk_to_strangers(project, TALK_TO_ITSELF)

    failure = only_failure(judged_in_time())

    assert failure.id == "asgi.refuses-no-token"
    assert "the WebSocket handshake got no answer" in failure.message


def test_endless_talk_after_the_greeting_passes_in_time(project, judged_in_time):
    """A greeted socket that talks on forever hinders nobody."""
    replace(project / CONSUMERS, "\n\nfrom channels", "\n\nimport asyncio\n\nfrom channels")
    greeting = '                "last_seq": inbox.last_seq,\n            }\n        )\n'
    indent = " " * 8
    talk = (TALK + "{0}    await asyncio.sleep(0.001)\n").format(indent)
    replace(project / CONSUMERS, greeting, f"{greeting}{indent}{talk}")

    assert judged_in_time().status is Status.PASSED


def is_running(pid):
    """Whether that process still runs; one that only waits to be buried does not."""
    try:
        return bool((Path("/proc") / pid / "cmdline").read_bytes())
    except FileNotFoundError:
        return False


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="children are found in /proc"
)
@pytest.mark.parametrize("output", ["None", "subprocess.DEVNULL"], ids=["loud", "silent"])
def test_child_in_a_session_of_its_own_is_ended(output, project, judged_in_time):
    """What the server starts in a session of its own ends with it, whatever it has open."""
    append(
        project / "backend/numeneon/asgi.py",
        "import subprocess\nfrom pathlib import Path\n"
        f"child = subprocess.Popen(['sleep', '300'], start_new_session=True, stdout={output},\n"
        f"    stderr={output}, stdin=subprocess.DEVNULL)\n"
        f"with open({str(project / 'children')!r}, 'a') as file:\n"
        "    print(child.pid, file=file)\n",
    )

    report = judged_in_time()
    children = (project / "children").read_text().split()

    assert report.status is Status.PASSED
    assert children and not list(filter(is_running, children))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("HttpResponse('[' * 100_000, content_type='application/json')", "[[["),
        ("StreamingHttpResponse(flooding())", "longer than 8 MB"),
        (
            "StreamingHttpResponse(itertools.repeat('x' * 65536))",
            f"no answer within {PATIENCE:g} s",
        ),
        ("StreamingHttpResponse(dripping())", f"no answer within {PATIENCE:g} s"),
    ],
    ids=["deep", "huge", "never begun", "dripping"],
)
def test_body_that_nobody_can_hold_is_one_failure(body, words, project, judged_in_time):
    """An answer without end, or nested beyond reason, fails the item that asked for it."""
    append(
        project / URLS,
        "import asyncio, itertools, time\n"
        "from django.http import HttpResponse, StreamingHttpResponse\n"
        "async def flooding():\n"
        "    while True:\n"
        "        yield 'x' * 1_000_000\n"
        "        await asyncio.sleep(0)\n"
        "def dripping():\n"
        "    while True:\n"
        "        time.sleep(0.5)\n"
        "        yield 'x'\n"
        f"urlpatterns.insert(0, path('api/auth/me/', lambda request: {body}))\n",
    )

    failure = only_failure(judged_in_time())

    assert failure.id == "asgi.http"
    assert words in failure.message


@pytest.mark.parametrize(
    ("text", "words"),
    [("'[' * 100_000", "[[["), ("'x' * 100_000_000", "exceeding payload limit")],
    ids=["deep", "huge"],
)
def test_frame_that_nobody_can_hold_is_one_failure(text, words, project, judged_in_time):
    """A frame that is too large or too deep in place of the greeting fails that item."""
    replace(
        project / CONSUMERS,
        "        await self.send_json(\n            {\n"
        '                "type": "connection_established",\n',
        f"        await self.send({text})\n        await self.send_json(\n            {{\n"
        '                "type": "connection_established",\n',
    )

    failure = only_failure(judged_in_time())

    assert failure.id == "asgi.greets"
    assert words in failure.message


def test_handshake_that_never_ends_is_one_failure(project, judged_in_time):
    """A connect() that neither accepts nor refuses fails the item that waited for it."""
    replace(
        project / CONSUMERS,
        '        user = self.scope["user"]\n',
        "        import asyncio\n\n        await asyncio.sleep(3600)\n"
        '        user = self.scope["user"]\n',
    )

    failure = only_failure(judged_in_time())

    assert failure.id == "asgi.greets"
    assert "the WebSocket handshake got no answer" in failure.message


def test_interpreter_without_a_package_is_the_environments_fault(project, tmp_path_factory):
    """A virtual environment that lacks a package is named; no line of the learner's is."""
    python = python_of("without:djangorestframework", tmp_path_factory)

    with Session(project, python) as session:
        report = session.run(ASGI)

    [fault] = [r for r in report.items if r.status is Status.ENVIRONMENT]
    assert "has no djangorestframework" in fault.message
    assert f"{python} -m pip install -r requirements.txt" in fault.message
    assert Status.FAILED not in {result.status for result in report.items}


def test_interpreter_that_cannot_be_executed_is_the_environments_fault(project):
    """A Python that is no program of this machine is not the learner's code."""
    python = project / "broken-python"
    python.write_bytes(b"\x7fELF and nothing more")
    python.chmod(0o755)

    with Session(project, str(python)) as session:
        report = session.run(ASGI)

    assert report.status is Status.ENVIRONMENT
    assert "cannot be started" in report.items[0].message
