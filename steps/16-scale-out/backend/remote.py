"""A server somewhere, asked over HTTP and WebSocket: for test_websockets.py."""

import argparse
import getpass
import json
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

SECONDS = 5  # that an answer may take
ADVICE = {
    400: "is the server's name in ALLOWED_HOSTS?",
    401: "the email, the password or the token is not right",
    403: "WebSockets are off here, or not for a page of this origin",
    404: "WebSockets are off here, or WSGI serves it: start manage.py runasgi",
}


class Failure(Exception):
    """Something does not work: what, and perhaps why."""


class Remote:
    """A server, by its URL."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.sockets = ExitStack()  # what is open until the end

    def request(self, path, data=None, token=None):
        """Return an answer, which is JSON: to POST if there is data, else to GET."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise refused(path, error.code) from error
        except (OSError, ValueError) as error:
            # Nothing listens, the certificate is not trusted, or it is not JSON.
            raise Failure(f"{path}: {getattr(error, 'reason', error)}") from error

    def sign_in(self, email, password):
        """Return an access token."""
        login = {"email": email, "password": password}
        return self.request("/api/auth/login/", login)["access"]

    def socket(self, **options):
        """Return a socket after its handshake; options go to websockets' connect()."""
        url = "ws" + self.url.removeprefix("http") + "/ws/notifications/"
        try:
            handshake = connect(url, open_timeout=SECONDS, **options)
            return self.sockets.enter_context(handshake)
        except InvalidStatus as error:
            raise refused("the handshake", error.response.status_code) from error
        except (OSError, InvalidHandshake) as error:
            raise Failure(f"the handshake: {error}") from error


def refused(what, status):
    """Return the failure for an answer with that status."""
    advice = ADVICE.get(status, "the server's log may say more")
    return Failure(f"{what} got HTTP {status}: {advice}")


def receive(socket, kind):
    """Return the next frame of that type; others may come before it."""
    end = time.monotonic() + SECONDS
    try:
        while True:
            frame = json.loads(socket.recv(timeout=max(0, end - time.monotonic())))
            if frame["type"] == kind:
                return frame
    except TimeoutError as error:
        raise Failure(f"no {kind} within {SECONDS} seconds") from error
    except ConnectionClosed as error:
        raise Failure(f"closed with {code_of(error)}") from error


def closed_with(socket, code):
    """Return that the server has closed the socket with this code."""
    try:
        receive(socket, "nothing that a server sends")
    except Failure as failure:
        if str(failure) != f"closed with {code}":
            raise Failure(f"{failure}; {code} was expected") from failure
        return str(failure)


def code_of(error):
    """Return the code of a close frame; without one the connection broke."""
    return error.rcvd.code if error.rcvd else 1006


def since(began):
    """Return how long ago that was, by time.perf_counter()."""
    return f"{1000 * (time.perf_counter() - began):.1f} ms"


def arguments():
    """Return what follows the name of the program; a password is asked for."""
    parser = argparse.ArgumentParser(description="Says what works at a server.")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--email", help="an account at that server")
    parser.add_argument("--password", help="of the account, and of the sender")
    parser.add_argument(
        "--token", help="an access token, instead of email and password"
    )
    parser.add_argument("--sender", metavar="EMAIL", help="who writes a message")
    options = parser.parse_args()
    if not options.url.startswith(("http://", "https://")):
        parser.error("the URL begins with http:// or https://")
    if not (options.email or options.token):
        parser.error("an account is needed: --email, or --token")
    if options.password is None and (options.sender or not options.token):
        options.password = getpass.getpass()
    return options
