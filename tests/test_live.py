"""The live pages: who may connect, what is sent, what is served. Real HTTP and sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from checks.exchange import Event as ProtocolEvent
from checks.exchange import Exchange
from checks.results import ItemResult, Report, Status
from course import processes
from course.outline import Part
from tests.browser import needs
from tests.small import write_tree
from workshop import cli
from workshop.commands import start, watch
from workshop.errors import EnvironmentTrouble
from workshop.events import CheckAsked, Event, Key, PageOpened
from workshop.home import Home
from workshop.pages import board, live, serve, static
from workshop.pages import build as site
from workshop.pages.live import Live
from workshop.progress import load

PAGES = {
    "index.html": '<!doctype html>\n<html lang="en"><p>Front</p></html>\n',
    "404.html": '<!doctype html>\n<html lang="en"><p>Missing</p></html>\n',
    "steps/01-middle/index.html": '<html lang="en"><p>Step</p></html>\n' + "x" * 2000,
    "assets/main.484c7ddc.min.css": "p { color: red }\n" * 200,
    "assets/live.js": "'use strict';\n" * 200,
    "assets/live.js.map": "{}",
    "assets/picture.png": "not really",
}
MARKDOWN = {
    "mkdocs.yml": "site_name: Small\ntheme:\n  name: material\n  font: false\n",
    "docs/index.md": "# Small\n",
    "docs/other.md": "# Other\n\n## Two words\n",
}


@pytest.fixture
def built(home: Home) -> Home:
    """A small tutorial whose pages are built already."""
    write_tree(home.state / "site", PAGES)
    write_tree(home.state, {"site.stamp": site.fingerprint(home), "secret.txt": "secret"})
    return home


@pytest.fixture
def served(built: Home) -> Iterator[Live]:
    """Its pages, served."""
    with Live(built, load(built)) as made:
        wait_until(lambda: bool(made.builder.site.files))
        yield made


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that must become true."""
    assert processes.wait_until(true, seconds=seconds), "it did not become true in time"


def get(server: Live, path: str, method: str = "GET", **headers: str) -> Any:
    """A response and its body, in `text`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=named)
    answer = connection.getresponse()
    answer.text = answer.read()
    connection.close()
    return answer


def raw(server: Live, request: bytes) -> bytes:
    """What comes back for bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
        plain.sendall(request)
        return b"".join(iter(lambda: plain.recv(65536), b""))


@contextlib.contextmanager
def page(server: Live, step: int | None = 1, **hello: Any) -> Iterator[ClientConnection]:
    """A connected page, as live.js connects it."""
    address = f"127.0.0.1:{server.port}"
    with connect(f"ws://{address}/live", origin=f"http://{address}", proxy=None) as opened:
        opened.send(json.dumps({"token": server.token, "step": step} | hello))
        yield opened


def state(opened: ClientConnection, until: Callable[[dict], bool]) -> dict[str, Any]:
    """The first state from now on that is as wanted."""
    while True:
        found = json.loads(opened.recv(timeout=30))
        if until(found):
            return found


def close_code(opened: ClientConnection) -> int:
    """The code with which the server ends a connection."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            opened.recv(timeout=10)
    assert closed.value.rcvd
    return closed.value.rcvd.code


def result(id: str, status: Status, **more: Any) -> ItemResult:
    """A verdict."""
    return ItemResult(id, f"The item {id} holds.", status, **more)


# What a page is told


def test_page_gets_the_state_at_once(served: Live) -> None:
    """The first message has every item, unjudged, and how far each step is."""
    with page(served) as opened:
        first = state(opened, lambda found: True)

    assert [item["id"] for item in first["items"]] == ["notes.view", "notes.urls"]
    assert {item["status"] for item in first["items"]} == {"unknown"}
    assert [step["slug"] for step in first["steps"]] == ["00-start", "01-middle", "02-end"]
    assert first["step"] == 1
    assert first["running"] is False


def test_earlier_verdicts_are_shown(built: Home) -> None:
    """What was passed before the tool was started is still ticked."""
    progress = load(built)
    progress.record(Report(1, "here", [result("notes.view", Status.PASSED)], 0.1))

    with Live(built, progress) as served, page(served) as opened:
        first = state(opened, lambda found: True)

    assert [item["status"] for item in first["items"]] == ["passed", "unknown"]


def test_run_is_followed_item_by_item(served: Live) -> None:
    """Running, then each verdict as it is known, then the end."""
    step = served.home.steps[1]
    failed = result(
        "notes.view",
        Status.FAILED,
        message="found    nothing",
        hint="Who asks?",
        file="backend/notes/views.py",
        line=3,
    )
    blocked = result("notes.urls", Status.BLOCKED, blocked_by="notes.view", remark="Known?")
    with page(served) as opened:
        served.started(step)
        begun = state(opened, lambda found: found["running"])
        served.verdict(failed)
        half = state(opened, lambda found: not found["items"][0]["running"])
        served.verdict(blocked)
        served.finished(Report(1, "here", [failed, blocked], 0.25), load(served.home))
        ended = state(opened, lambda found: found["runs"] == 1)

    assert [item["running"] for item in begun["items"]] == [True, True]
    assert half["items"][0]["message"] == "found    nothing"
    assert half["items"][1]["running"] is True
    view, urls = ended["items"]
    assert (view["status"], view["hint"], view["line"]) == ("failed", "Who asks?", 3)
    assert view["open"].startswith("vscode://file/")
    assert view["open"].endswith("/workspace/backend/notes/views.py:3")
    assert (urls["status"], urls["blocked_by"]) == ("blocked", "notes.view")
    assert (view["remark"], urls["remark"]) == ("", "Known?")
    assert (ended["running"], ended["watched"], ended["seconds"]) == (False, 1, 0.25)


def heard(text: str, **more: Any) -> Exchange:
    """An exchange of one message."""
    return Exchange((ProtocolEvent(0, "frame", "server", "client", text),), **more)


def test_exchanges_come_when_the_run_has_ended(served: Live) -> None:
    """Not with each verdict; only those of items that have one, and only the newest."""
    step = served.home.steps[1]
    with page(served) as opened:
        served.started(step)
        served.verdict(result("notes.view", Status.PASSED, exchange=heard("hello")))
        during = state(opened, lambda found: found["items"][0]["status"] == "passed")
        served.verdict(result("notes.urls", Status.FAILED))
        served.finished(Report(1, "here", [], 0.2), load(served.home))
        after = state(opened, lambda found: not found["running"])
        served.started(step)
        served.verdict(result("notes.view", Status.PASSED))
        served.finished(Report(1, "here", [], 0.2), load(served.home))
        later = state(opened, lambda found: found["runs"] == 2)

    assert "exchanges" not in during
    assert after["exchanges"].keys() == {"notes.view"}
    assert after["exchanges"]["notes.view"]["events"][0]["text"] == "hello"
    assert later["exchanges"] == {}


def test_exchanges_are_bounded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for all, failures come first."""
    monkeypatch.setattr(board, "MOST_OF_EXCHANGES", 400)
    told = board.Board(home, home.workspace)
    step = home.steps[1]
    told.started(step)
    told.verdict(result("notes.view", Status.PASSED, exchange=heard("x" * 200)))
    told.verdict(result("notes.urls", Status.FAILED, exchange=heard("y" * 200)))
    told.finished(0.1, [])

    assert told.shown(step, near=True)["exchanges"].keys() == {"notes.urls"}


def test_slow_page_gets_the_newest(served: Live) -> None:
    """Changes while nothing can be sent go out as one message, and the last is not lost."""
    step = served.home.steps[1]
    progress = load(served.home)
    over = threading.Event()
    with page(served) as opened:
        state(opened, lambda found: True)
        assert served._loop
        served._loop.call_soon_threadsafe(
            over.wait
        )  # holds the server while we change things
        for _ in range(500):
            served.started(step)
            served.finished(Report(1, "here", [], 0.1), progress)
        over.set()
        received = 1
        while json.loads(opened.recv(timeout=10))["runs"] < 500:
            received += 1

    assert received <= 2


def test_page_of_no_step_hears_of_progress(served: Live) -> None:
    """The front page gets no items, but how far each step is."""
    with page(served, step=None) as opened:
        first = state(opened, lambda found: True)

    assert first["items"] == []
    assert len(first["steps"]) == 3


def test_pages_of_a_step_are_named(built: Home) -> None:
    """Each with its address; a part's page is finished once the items of that part passed."""
    step = built.steps[1]
    first, second = (
        Part(number, slug, slug.title(), 5) for number, slug in [(1, "view"), (2, "urls")]
    )
    steps = [replace(step, parts=(first, second)) if s == step else s for s in built.steps]
    items = [
        replace(item, part=number)
        for number, item in enumerate(built.checklist(step), start=1)
    ]
    home = replace(built, steps=tuple(steps), items_of=lambda number: items)
    progress = load(home)
    progress.record(Report(1, "here", [result("notes.view", Status.PASSED)], 0.1))

    told = board.progress_of(progress)[1]

    assert told["pages"] == [
        {"address": "steps/01-middle/", "finished": False},
        {"address": "steps/01-middle/1-view/", "finished": True},
        {"address": "steps/01-middle/2-urls/", "finished": False},
    ]


def test_name_of_an_editor_is_explained(served: Live) -> None:
    """Who comes by a name that is not ours reads why, and what to do."""
    answer = get(served, "/", Host="8765-numeneon.editor.example")

    assert answer.status == 403
    assert b"forwarded the port" in answer.text
    assert b"http://localhost:" in answer.text


@pytest.mark.parametrize(
    ("path", "link"),
    [
        (PurePosixPath("/home/a b/x.py"), "vscode://file/home/a%20b/x.py:7"),
        (PureWindowsPath("C:\\course\\x.py"), "vscode://file/C%3A/course/x.py:7"),
    ],
)
def test_editor_links(path: Any, link: str) -> None:
    """A path of either system as an address."""
    assert board.editor_link(path, 7) == link


# Who may connect, and what may be asked


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}", 101),
        ("localhost:{port}", "http://localhost:{port}", 101),
        ("127.0.0.1:{port}", None, 403),
        ("127.0.0.1:{port}", "null", 403),
        ("127.0.0.1:{port}", "http://127.0.0.1", 403),
        ("127.0.0.1:{port}", "http://127.0.0.1:8000", 403),
        ("127.0.0.1:{port}", "http://localhost:{port}", 403),
        ("127.0.0.1:{port}", "https://127.0.0.1:{port}", 403),
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}.evil.example", 403),
        ("127.0.0.1:{port}", "http://evil.example", 403),
        # a name of somebody else's that was made to lead here
        ("evil.example:{port}", "http://evil.example:{port}", 403),
    ],
)
def test_origin_and_host(served: Live, host: str, origin: str | None, status: int) -> None:
    """Only a page that came from here may open the socket."""
    address = f"ws://{host.format(port=served.port)}/live"
    plain = socket.create_connection(("127.0.0.1", served.port))
    named = origin.format(port=served.port) if origin else None
    try:
        with connect(address, origin=named, sock=plain, proxy=None) as opened:  # type: ignore[arg-type]
            assert status == 101
            opened.send(json.dumps({"token": served.token, "step": 1}))
            assert json.loads(opened.recv(timeout=10))["type"] == "state"
    except InvalidStatus as refused:
        assert refused.response.status_code == status


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"token": "guessed", "step": 1}', 4403),
        ('{"step": 1}', 4403),
        ('{"token": 1}', 4403),
        ('{"token": "\\ud800"}', 4403),
        ("[]", 4400),
        ("hello", 4400),
        ("[" * 1000, 4400),
        ("x" * 2000, 1009),
    ],
)
def test_page_without_the_token_hears_nothing(served: Live, said: str, code: int) -> None:
    """Whoever does not hold the token of a served page is sent away."""
    address = f"127.0.0.1:{served.port}"
    with connect(f"ws://{address}/live", origin=f"http://{address}", proxy=None) as opened:
        opened.send(said)
        assert close_code(opened) == code


def test_silence_is_ended(served: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that never shows a token does not stay."""
    monkeypatch.setattr(live, "ADMISSION_SECONDS", 0.1)
    address = f"127.0.0.1:{served.port}"
    with connect(f"ws://{address}/live", origin=f"http://{address}", proxy=None) as opened:
        assert close_code(opened) == 4408


def test_too_many_pages(served: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to what one tool serves."""
    monkeypatch.setattr(live, "MOST_PAGES", 1)
    with page(served) as first:
        state(first, lambda found: True)
        with page(served) as second:
            assert close_code(second) == 4429


def test_check_can_be_asked_for_once(served: Live) -> None:
    """The opened page is told of, then one check is asked for, however often it is pressed."""
    with page(served, step=2) as opened:
        state(opened, lambda found: True)
        assert served.asked() == PageOpened(served.home.steps[2])
        for _ in range(5):
            opened.send('{"type": "check"}')
        opened.send('{"type": "format"}')
        assert close_code(opened) == 4400

    assert served.asked() == CheckAsked(served.home.steps[2])
    assert served.asked() is None


def test_check_is_asked_for_at_once(served: Live) -> None:
    """Also by a page that was opened a moment ago, and while another step is judged."""
    served.started(served.home.steps[0])
    with page(served) as opened:
        opened.send('{"type": "check"}')
        opened.send("bye")
        close_code(opened)

    step = served.home.steps[1]
    assert [served.asked() for _ in range(3)] == [PageOpened(step), CheckAsked(step), None]


def test_check_is_not_asked_for_during_a_run(served: Live) -> None:
    """As keys on the terminal, what is pressed while it checks is dropped."""
    with page(served) as opened:
        state(opened, lambda found: True)
        served.asked()
        served.started(served.home.steps[1])
        state(opened, lambda found: found["running"])
        opened.send('{"type": "check"}')
        opened.send("bye")
        close_code(opened)

    assert served.asked() is None


def test_sockets_without_a_token_are_few(
    served: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens many and says nothing gets no more; there is room again afterwards."""
    monkeypatch.setattr(live, "MOST_WAITING", 2)
    address = f"127.0.0.1:{served.port}"
    with contextlib.ExitStack() as stack:

        def opened() -> ClientConnection:
            made = connect(f"ws://{address}/live", origin=f"http://{address}", proxy=None)
            return stack.enter_context(made)

        waiting = [opened(), opened()]
        assert close_code(opened()) == 4429
        for connection in waiting:
            connection.close()
        with page(served) as admitted:
            state(admitted, lambda found: True)


def test_silent_connections_are_few(served: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that do not even send a request are dropped when there are too many."""
    monkeypatch.setattr(live, "MOST_CONNECTIONS", 2)
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(
                socket.create_connection(("127.0.0.1", served.port), timeout=10)
            )
            for _ in range(3)
        ]
        with contextlib.suppress(ConnectionResetError):
            assert connections[2].recv(1) == b""
    wait_until(lambda: served._connections == 0)

    assert get(served, "/").status == 200


@pytest.mark.parametrize("step", [99, -1, "1", None, True, {}])
def test_unknown_step_asks_for_nothing(served: Live, step: object) -> None:
    """A number that is no step's is as if none was given."""
    with page(served, step=step) as opened:  # type: ignore[arg-type]
        assert state(opened, lambda found: True)["step"] is None
        opened.send('{"type": "check"}')
        opened.send("bye")
        close_code(opened)

    assert served.asked() is None


def test_page_from_elsewhere_only_watches(
    served: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --host a page on another machine sees the verdicts, and can do nothing."""
    monkeypatch.setattr(live, "is_loopback", lambda host: False)
    monkeypatch.setattr(serve, "knows_host", lambda bound, header: True)
    failed = result("notes.view", Status.FAILED, file="x.py")
    with page(served) as opened:
        served.started(served.home.steps[1])
        served.verdict(failed)
        told = state(opened, lambda found: found["items"][0]["status"] == "failed")
        opened.send('{"type": "check"}')
        opened.send("bye")
        close_code(opened)

    assert told["may_ask"] is False
    assert "open" not in told["items"][0]
    assert served.asked() is None


@pytest.mark.parametrize(
    ("bound", "header", "known"),
    [
        ("127.0.0.1", "127.0.0.1:8765", True),
        ("127.0.0.1", "[::1]:8765", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "192.168.1.5:8765", False),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "192.168.1.5:8765", True),
        ("0.0.0.0", "evil.example:8765", False),
        ("class.example", "class.example:8765", True),
    ],
)
def test_host_names(bound: str, header: str, known: bool) -> None:
    """A name that anybody can make lead here is not ours."""
    assert serve.knows_host(bound, header) is known


# The files


def test_pages_carry_the_token_and_nothing_else_does(served: Live) -> None:
    """The token is in every page, in no other file, and new with each start."""
    front, script = get(served, "/"), get(served, "/assets/live.js")

    assert f'data-live="{served.token}"'.encode() in front.text
    assert served.token.encode() not in script.text
    assert front.getheader("Cache-Control") == "no-cache"
    assert "default-src 'self'" in front.getheader("Content-Security-Policy")
    assert "*" not in front.getheader("Content-Security-Policy").replace(":*", "")


@pytest.mark.parametrize(
    ("path", "status", "type"),
    [
        ("/", 200, "text/html; charset=utf-8"),
        ("/?q=1", 200, "text/html; charset=utf-8"),
        ("/steps/01-middle/", 200, "text/html; charset=utf-8"),
        ("/steps/01-middle", 301, None),
        ("/assets/live.js", 200, "text/javascript; charset=utf-8"),
        ("/assets/main.484c7ddc.min.css", 200, "text/css; charset=utf-8"),
        ("/assets/picture.png", 200, "image/png"),
        ("/assets/live.js.map", 404, "text/html; charset=utf-8"),
        ("/nowhere/", 404, "text/html; charset=utf-8"),
    ],
)
def test_addresses(served: Live, path: str, status: int, type: str | None) -> None:
    """Each file with its type; folders end with a slash."""
    answer = get(served, path)

    assert (answer.status, answer.getheader("Content-Type")) == (status, type)
    assert int(answer.getheader("Content-Length")) == len(answer.text)
    assert answer.getheader("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/steps/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%00",
        "//etc/passwd",
        "/\\..\\secret.txt",
        "secret.txt",
        "http://127.0.0.1/../secret.txt",
    ],
)
def test_no_path_leads_outside(served: Live, path: str) -> None:
    """What was not built is not there, whatever it is called."""
    said = raw(served, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert said.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"\r\n\r\nsecret" not in said


def test_unchanged_files_are_not_sent_again(served: Live) -> None:
    """A hashed name may be kept for ever, every other is asked about and not sent twice."""
    css = get(served, "/assets/main.484c7ddc.min.css", Accept_Encoding="gzip")
    front = get(served, "/", If_None_Match=get(served, "/").getheader("ETag"))

    assert css.getheader("Content-Encoding") == "gzip"
    assert len(css.text) < 200
    assert "immutable" in css.getheader("Cache-Control")
    assert (front.status, front.text) == (304, b"")


def test_only_reading(served: Live) -> None:
    """HEAD says what GET would; nothing can be sent here."""
    assert get(served, "/", "HEAD").text == b""
    assert get(served, "/", "POST").status == 405
    assert get(served, "/", Host="evil.example").status == 403


def test_page_before_the_first_build(home: Home) -> None:
    """Whoever is faster than the build is told so, by a page that reloads itself."""
    answer = static.Site().answer("/steps/01-middle/", {})

    assert answer.status == 503
    assert b'http-equiv="refresh"' in answer.body


# Building


@pytest.mark.slow
def test_pages_are_built_and_built_anew(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the start, at a change, not again without one; a failed build keeps the pages."""
    needs("mkdocs")
    needs("material")
    write_tree(home.root, MARKDOWN)
    with Live(home, load(home)) as served:
        wait_until(lambda: b"Small" in get(served, "/").text, 120)
        first = served.builder.site.version
        (home.root / "docs" / "index.md").write_text("# Bigger\n", "utf-8")
        with page(served) as opened:
            state(opened, lambda found: found["site"] not in {"", first})
        assert b"Bigger" in get(served, "/").text
        assert b"two-words" in get(served, "/search/search_index.json").text
        write_tree(home.root, {"docs/more.md": "# Another page\n"})
        wait_until(lambda: get(served, "/more/").status == 200, 120)
        (home.root / "mkdocs.yml").write_text("site_name: [", "utf-8")
        said: list[str] = []

        def complained() -> bool:
            said.append(capsys.readouterr().out)
            return "could not be built" in "".join(said)

        wait_until(complained, 120)
        assert b"Bigger" in get(served, "/").text
    write_tree(home.root, {"mkdocs.yml": MARKDOWN["mkdocs.yml"]})
    assert sorted(path.name for path in home.state.glob("site-*")) == []


def test_second_start_does_not_build(
    served: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pages whose sources have not changed are shown as they are."""
    assert b"Front" in get(served, "/").text
    assert served.builder._process is None
    assert capsys.readouterr().out == ""


# Beginning and end


def test_taken_port_is_left_alone(served: Live) -> None:
    """A second tool finds a port of its own."""
    with Live(served.home, load(served.home), port=served.port) as second:
        assert second.port != served.port
        assert get(second, "/").status in {200, 503}


def test_taken_port_is_told(built: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """One that was asked for is an error; the one of the last time is replaced, with a word."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        write_tree(built.state, {"port": f"{port}\n"})
        write_tree(built.root, {"mkdocs.yml": ""})
        words = f"Port {port} is in use by another program"
        with (
            pytest.raises(EnvironmentTrouble, match=words),
            live.serving(built, load(built), port=port),
        ):
            pass
        assert capsys.readouterr().out == ""
        with live.serving(built, load(built)) as served:
            assert served
            assert f"{words}; using {served.port} instead." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("bound", "name"),
    [("192.168.1.5", "192.168.1.5"), ("fe80::1", "fe80::1"), ("class.example",) * 2],
)
def test_name_on_the_network(bound: str, name: str) -> None:
    """What was given is what others use."""
    assert serve.network_name(bound) == name


def test_name_of_every_address() -> None:
    """With 0.0.0.0 it is an address that leads here."""
    assert serve.network_name("0.0.0.0") not in {"", "0.0.0.0"}
    assert serve.address_of("::1", 8765) == "http://[::1]:8765/"


def test_address_that_is_not_ours(built: Home) -> None:
    """Told in words."""
    with pytest.raises(EnvironmentTrouble, match="cannot be served"):
        Live(built, load(built), host="192.0.2.1").__enter__()


def test_end_is_told_to_the_pages(built: Home) -> None:
    """Pages hear that the tool goes away; nothing of it stays."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Live(built, load(built)))
        opened = stack.enter_context(page(server))
        state(opened, lambda found: True)
        server.__exit__(None, None, None)
        assert close_code(opened) == 1001
    assert not {thread.name for thread in threading.enumerate()} & {"live", "pages"}


def test_without_pages_the_watch_goes_on(
    home: Home, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No mkdocs.yml: one sentence, and None for the watch to go on without."""
    with live.serving(home, load(home)) as nothing:
        assert nothing is None

    assert "The pages are not available" in capsys.readouterr().out


def test_start_prints_the_address(
    built: Home,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On a terminal the screen names the page to read, and the page shows the run."""
    seen = []

    def events(news: object, keys: watch.Keys, observer: watch.Observer) -> Iterator[Event]:
        said = capsys.readouterr().out
        port = int(said.partition("http://127.0.0.1:")[2].partition("/")[0])
        seen.append((port, said))
        yield Key("q")

    monkeypatch.setattr(site, "trouble", lambda home: "")
    monkeypatch.setattr(live, "trouble", lambda home: "")
    monkeypatch.setattr(start, "is_live", lambda stream: True)
    monkeypatch.setattr(watch, "Keys", Quiet)
    monkeypatch.setattr(watch, "events", events)

    assert cli.main([], built) == 0

    port, said = seen[0]
    assert f"read   http://127.0.0.1:{port}/steps/00-start/" in said


class Quiet(watch.Keys):
    """No terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.live = False


class Recorder(watch.Observer):
    """Notes what it is told."""

    def __init__(self, asked: list[CheckAsked | PageOpened]) -> None:
        self.told: list[str] = []
        self._asked = asked

    def started(self, step: Any) -> None:
        self.told.append(f"started {step.number}")

    def verdict(self, result: ItemResult) -> None:
        self.told.append(result.id)

    def finished(self, report: Report, progress: Any) -> None:
        self.told.append(f"finished {report.step}, at {progress.current().number}")

    def moved(self, step: Any) -> None:
        self.told.append(f"moved {step.number}")

    def asked(self) -> CheckAsked | PageOpened | None:
        return self._asked.pop(0) if self._asked else None


def watched(
    home: Home, asked: list[CheckAsked | PageOpened], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """What an observer is told of a watch that gets these requests, and then q."""

    def events(news: object, keys: watch.Keys, observer: watch.Observer) -> Iterator[Event]:
        while asked := observer.asked():
            yield asked
        yield Key("q")

    monkeypatch.setattr(watch, "Keys", Quiet)
    monkeypatch.setattr(watch, "events", events)
    recorder = Recorder(asked)
    watch.watch_workspace(home, recorder)
    return recorder.told


@pytest.mark.usefixtures("workspace")
def test_watch_tells_its_observer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run from its beginning to what is noted; a page can ask for one."""
    told = watched(home, [CheckAsked(home.steps[1])], monkeypatch)

    assert told == [
        *("started 0", "start.works", "start.tested", "finished 0, at 1"),
        *("started 1", "notes.view", "notes.urls", "finished 1, at 2"),
    ]


@pytest.mark.usefixtures("workspace")
def test_opened_page_moves_a_finished_watch(
    home: Home, monkeypatch: pytest.MonkeyPatch, verdicts: dict[str, Status]
) -> None:
    """To the next step and no further, without a run; an unfinished step is not left."""
    told = watched(
        home, [PageOpened(home.steps[number]) for number in (0, 2, 1)], monkeypatch
    )
    assert told[-1] == "moved 1"
    assert [line for line in told if line.startswith("started")] == ["started 0"]

    verdicts["notes.urls"] = Status.FAILED
    told = watched(home, [PageOpened(home.steps[number]) for number in (2, 0)], monkeypatch)
    assert not [line for line in told if line.startswith("moved")]
