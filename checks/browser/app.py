"""The page `/app/` in a window: what a person does there, on a clock that the check moves on."""

from __future__ import annotations

import functools
import http.client
import json
from pathlib import Path
from typing import Any

from checks.browser.window import PageError, Reply, Window
from checks.errors import NotYet, Place
from checks.harness.client import shorten
from checks.harness.harness import Harness
from checks.harness.people import Person
from checks.harness.servers import LOCAL, Server
from course.contract import CLIENT_PATH, GREETING, PING, PONG, STREAM_PATH
from course.deadline import patient

MODULE = "notifications.js"
_STAGE = Path(__file__).with_name("stage.js")
_SECONDS = patient(6.0)
_SHOWN_COMPLAINTS = 3
_SUBMIT = """\
(id, values) => {
  const form = document.getElementById(id);
  if (!form) throw new Error(`the page has no form with the id ${id}`);
  for (const [name, value] of Object.entries(values)) {
    const control = form.elements[name];
    const options = [...(control.options ?? [])];
    control.value = options.find((option) => option.text === value)?.value ?? value;
  }
  form.requestSubmit();
}"""
_PRESS = """\
(list, text) => {
  const buttons = [...document.getElementById(list).querySelectorAll("button")];
  const button = buttons.find((each) => each.textContent.trim() === text);
  button?.click();
  return Boolean(button);
}"""
# Each import() of a module that the page has is fulfilled once that module has run.
_RUN_MODULES = """\
void Promise.allSettled(
  [...document.querySelectorAll('script[type="module"][src]')].map(({ src }) => import(src))
).then(() => { window.numeneonHasRun = true; })"""
_ITEMS = "id => [...document.getElementById(id).children].map((each) => each.textContent)"
_SIGNED_OUT = '!document.getElementById("sign-in").hidden'


class App:
    """The page in a window of its own."""

    def __init__(self, harness: Harness, window: Window, address: str) -> None:
        self.harness = harness
        self.window = window
        self.address = address

    # What a person does

    def open(self) -> None:
        """Show the page. Raises NotYet if it does not load."""
        try:
            self.window.open(self.address + CLIENT_PATH)
        except PageError as error:
            raise self.news(str(error), expected=f"{CLIENT_PATH} loads") from error
        self._wait_for_modules()

    def _wait_for_modules(self) -> None:
        """The load event does not wait for an `await` at the top of a module."""
        if not self.window.failures:
            self.window.run(_RUN_MODULES)
            self.window.until("window.numeneonHasRun", _SECONDS)

    def sign_in(self, person: Person) -> None:
        """Sign in with the form."""
        shown = self.window.until(_SIGNED_OUT, _SECONDS)
        if not shown:
            raise self.news("the page shows no sign-in form", expected="it does")
        self.submit("sign-in", email=person.email, password=person.password)

    def sign_out(self) -> None:
        """Press the button that does that."""
        try:
            self.window.run('document.getElementById("sign-out").click()')
        except PageError as error:
            raise self.news(str(error), expected="the page that step 7 provides") from error

    def submit(self, form: str, **values: str) -> None:
        """Fill in a form of the page and send it."""
        try:
            self.window.call(_SUBMIT, form, values)
        except PageError as error:
            raise self.news(str(error), expected="the page that step 7 provides") from error

    def press(self, where: str, text: str) -> None:
        """Press the button of that name in a list, once it is there."""
        script = f"({_PRESS})({json.dumps(where)}, {json.dumps(text)})"
        if not self.window.until(script, _SECONDS):
            raise self.news(
                f"the list `{where}` has no button {text!r}", expected="it has one"
            )

    def items(self, where: str) -> list[str]:
        """The entries of a list."""
        return self.window.call(_ITEMS, where)

    def wait_for(self, script: str) -> bool:
        """Wait until that is true in the page."""
        return self.window.until(f"Boolean({script})", _SECONDS)

    # The clock and the other end of its sockets, which only a played page has

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Each WebSocket that the page has made: `at`, `url`, `protocols`, what it `sent`, and
        whether it was `left`: closed by the page or ended."""
        return self.window.run("numeneonStage.attempts")

    def server_is(self, behaviour: str | int) -> None:
        """`up`, `mute` (it says nothing more), `failing` (right after its greeting), `down`,
        `hanging`, or a close code."""
        self.window.call("(behaviour) => numeneonStage.serverIs(behaviour)", behaviour)

    def answers_after(self, seconds: float) -> None:
        """From now on a request of the page takes that long, on its own clock."""
        self.window.call("(time) => numeneonStage.answersAfter(time)", 1000 * seconds)

    def drop(self, code: int) -> None:
        """End the open socket with that code."""
        self.window.call("(code) => numeneonStage.drop(code)", code)

    def advance(self, seconds: float) -> None:
        """Let that time pass in the page, at once."""
        self.window.call("(time) => numeneonStage.advance(time)", 1000 * seconds)

    def sleep(self, seconds: float) -> None:
        """Let that time pass while the machine sleeps: what is due happens afterwards."""
        self.window.call("(time) => numeneonStage.sleep(time)", 1000 * seconds)

    # News

    def news(self, found: str, *, expected: str, todo: str = "") -> NotYet:
        """What was found, and what the browser complained of."""
        complaints = [*self.window.failures, *self.window.errors][:_SHOWN_COMPLAINTS]
        told = "".join(f"\nthe browser: {shorten(each)}" for each in complaints)
        return NotYet(
            found + told,
            expected=expected,
            look_at=place_of_module(self.harness),
            todo=todo,
        )


def place_of_module(harness: Harness, name: str = MODULE) -> Place | None:
    """Where the project has that static file."""
    backend = harness.project.backend
    found = [path for path in backend.rglob(name) if "static" in path.parts]
    return Place(harness.project.relative(sorted(found)[0])) if found else None


def app(harness: Harness, server: Server) -> App:
    """The page at that server, in a window of its own; nothing in it is played."""
    window = harness.browsers.window()
    harness.at_end(window.close)
    return App(harness, window, f"http://{server.address}")


def played(harness: Harness, server: Server, *, sockets: bool = True) -> App:
    """The same with a clock that stands still and, for `sockets`, a server that we play."""
    made = app(harness, server)
    made.window.before_each_page(stage(sockets=sockets))
    return made


def played_at(harness: Harness, server: Server, address: str) -> App:
    """The same under another address, such as one with https."""
    window = harness.browsers.window()
    harness.at_end(window.close)
    window.before_each_page(stage(sockets=True))
    window.answer(f"{address}/*", functools.partial(forwarded, server, address))
    return App(harness, window, address)


def forwarded(server: Server, address: str, asked: dict[str, Any]) -> Reply:
    """The server's answer to a request for another address."""
    # What is given to the browser in place of an answer is not decompressed.
    sent = {k: v for k, v in asked["headers"].items() if k.lower() != "accept-encoding"}
    body = asked.get("postData")
    connection = http.client.HTTPConnection(LOCAL, server.port, timeout=_SECONDS)
    try:
        connection.request(
            asked["method"],
            asked["url"].removeprefix(address),
            body=body.encode() if body is not None else None,
            headers={**sent, "Host": server.address, **server.proxy_headers},
        )
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read())
    except (OSError, http.client.HTTPException) as error:
        return Reply(502, {}, str(error).encode())
    finally:
        connection.close()


# How long a session of the server that we play lasts. Seconds.
SESSION = 3600


@functools.cache
def stage(*, sockets: bool) -> str:
    """The script that gives a page its clock and, for `sockets`, a server that we play."""
    greeting: dict[str, Any] = {"type": GREETING, "message": "Connected", "user_id": 1}
    greeting["expires_in"] = SESSION
    given = ", ".join(map(json.dumps, (greeting, PING, PONG, STREAM_PATH, sockets)))
    return f"{_STAGE.read_text('utf-8').rstrip()}({given})"
