"""Says what works at a server: python test_websockets.py URL --email bob@example.com

A client, and not a test: pytest finds no function in it whose name begins with test_.
"""

import json
import sys
import time

from remote import Failure, Remote, arguments, closed_with, receive, since


class Client:
    """Somebody at a server: each method tries what its docstring says."""

    def __init__(self, options):
        self.options = options
        self.server = Remote(options.url)

    def answers(self):
        """The server answers."""
        return self.server.request("/api/v1/health/")["status"]

    def signs_in(self):
        """The account can sign in."""
        email, password = self.options.email, self.options.password
        self.token = self.options.token or self.server.sign_in(email, password)
        self.user = self.server.request("/api/auth/me/", token=self.token)
        return self.user["username"]

    def opens(self):
        """A ticket opens a socket."""
        answer = self.server.request("/api/v1/ws/ticket/", {}, self.token)
        self.offered = ["ticket", answer["ticket"]]
        self.socket = self.server.socket(subprotocols=self.offered)
        return receive(self.socket, "connection_established")["message"]

    def ping(self):
        """The socket answers a ping."""
        began = time.perf_counter()
        self.socket.send(json.dumps({"type": "ping"}))
        receive(self.socket, "pong")
        return since(began)

    def event(self):
        """A message arrives in the socket."""
        if not self.options.sender:
            return "not tried: --sender says who writes it"
        token = self.server.sign_in(self.options.sender, self.options.password)
        message = {"receiver_id": self.user["id"], "content": "Do you read me?"}
        began = time.perf_counter()
        self.server.request("/api/messages/", message, token)
        receive(self.socket, "new_message")
        return since(began)

    def once(self):
        """The same ticket opens no other socket."""
        return closed_with(self.server.socket(subprotocols=self.offered), 4408)

    def stranger(self):
        """A token that is not valid opens no socket."""
        nonsense = {"Authorization": "Bearer nonsense"}
        return closed_with(self.server.socket(additional_headers=nonsense), 4401)

    def elsewhere(self):
        """A page of another site opens no socket."""
        try:
            self.server.socket(origin="https://elsewhere.example")
        except Failure as failure:
            if "HTTP 403" in str(failure):
                return "refused with HTTP 403"
            raise
        raise Failure("it was let in")


NEEDED = [Client.answers, Client.signs_in, Client.opens]
OTHERS = [Client.ping, Client.event, Client.once, Client.stranger, Client.elsewhere]


def main():
    """Try everything; without what is needed, nothing else can work. Return 0 or 1."""
    client, failed = Client(arguments()), False
    for attempt in NEEDED + OTHERS:
        try:
            mark, found = "ok", attempt(client)
        except Failure as failure:
            mark, found, failed = "FAILED", failure, True
        print(f"{mark:7}{attempt.__doc__} ({found})")
        if failed and attempt in NEEDED:
            break
    client.server.sockets.close()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
