"""Projects that prove the items of step 15."""

from tests.variants import Edit, broken, correct

COMMAND = "backend/server/management/commands/runasgi.py"
CLIENT = "backend/test_websockets.py"
REMOTE = "backend/remote.py"
COMPARISON = "backend/compare_http.py"
URLS = "backend/numeneon/urls.py"
ASGI = "backend/numeneon/asgi.py"
SETTINGS = "backend/numeneon/settings.py"
LOGS = "backend/numeneon/logs.py"
ROUTING = "backend/notifications/routing.py"
ORIGINS = "backend/numeneon/origins.py"
REQUIREMENTS = "requirements.txt"
HTTP_ONLY = "backend/numeneon/http_only.py"
HEALTH = "backend/numeneon/health.py"
PARTS = "backend/numeneon/parts.py"
THREADS = "backend/numeneon/threads.py"
LAYERS = "backend/notifications/layers.py"
SERVICES = "backend/notifications/services.py"
EVENTS = "backend/notifications/events.py"
EVENT_STREAM = "backend/notifications/event_stream.py"
OPEN_STREAM = "backend/notifications/open_stream.py"
HINTS = "backend/notifications/hints.py"
STREAMS = "backend/notifications/streams.py"
SESSIONS = "backend/notifications/sessions.py"
CONNECTIONS = "backend/notifications/connections.py"
PAGE = "backend/client/static/client/app.js"
MODULE = "backend/client/static/client/notifications.js"

WHOLE_COMMAND = '''\
"""The same as a wrapper of uvicorn's own command line."""

import os
import sys

import uvicorn
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", default="8000")
        parser.add_argument("--interface", choices=["asgi"], default="asgi")
        parser.add_argument("--reload", action="store_true")
        parser.add_argument("--workers", default="1")

    def handle(self, *args, **options):
        if options["workers"] != "1" and not os.environ.get("REDIS_URL"):
            sys.exit("With several workers a Redis is needed.")
        own = ["--host", options["host"], "--port", options["port"]]
        own += ["--workers", options["workers"], "--lifespan", "off"]
        own += ["--reload"] if options["reload"] else []
        own += ["--ws-per-message-deflate", "false"]
        uvicorn.main(["numeneon.asgi:application", *own], standalone_mode=False)
'''
BECOMES = """\
        import sys

        argv = [sys.executable, "-m", "uvicorn", "numeneon.asgi:application"]
        argv += ["--lifespan", "off", "--ws-per-message-deflate", "false"]
        for name in ("host", "port", "workers"):
            argv += [f"--{name}", str(options[name])]
        os.execv(sys.executable, argv + ["--reload"] * options["reload"])
"""
APPLICATION = """\
logged = LogMiddleware(router)


async def application(scope, receive, send):
    await logged(scope, receive, send)
"""
IN_A_CHILD = """\
        import subprocess, sys

        argv = ["-m", "uvicorn", "numeneon.asgi:application", "--lifespan", "off"]
        argv += ["--host", options["host"], "--port", str(options["port"])]
        argv += ["--ws-per-message-deflate", "false"]
        subprocess.Popen([sys.executable, *argv], start_new_session=True).wait()
"""
STARTS = "        uvicorn.run(**DEFAULTS, **{name: options[name] for name in own})\n"
OWN_STATIC = """\
from django.conf import settings
from django.contrib.staticfiles.views import serve

if settings.DEBUG:
    urlpatterns.append(path("static/<path:path>", serve))
"""
ENDS = """\
if __name__ == "__main__":
    sys.exit(main())
"""
REFUSED_ELSEWHERE = '        raise Failure("it was let in")\n'
ASYNC_CLIENT = '''\
"""The same, written from top to bottom with asyncio."""

import argparse
import asyncio
import json
import sys
import urllib.request

import websockets


def ask(url, path, token=None, body=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url + path, data, headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


async def attempts(options):
    url = options.url
    token = options.token
    if not token:
        login = {"email": options.email, "password": options.password}
        token = ask(url, "/api/auth/login/", None, login)["access"]
    yield "login"
    me = ask(url, "/api/auth/me/", token)["id"]
    ticket = ask(url, "/api/v1/ws/ticket/", token, {})["ticket"]
    yield "ticket"
    address = url.replace("http", "ws", 1) + "/ws/notifications/"
    async with websockets.connect(address, subprotocols=["ticket", ticket]) as socket:
        await asyncio.wait_for(socket.recv(), 5)
        yield "greeting"
        if options.sender:
            login = {"email": options.sender, "password": options.password}
            sender = ask(url, "/api/auth/login/", None, login)["access"]
            ask(url, "/api/messages/", sender, {"receiver_id": me, "content": "?"})
            while "new_message" not in await asyncio.wait_for(socket.recv(), 5):
                pass
            yield "event"
    try:
        await websockets.connect(address, origin="https://somewhere.example")
    except websockets.InvalidStatus:
        yield "foreign page refused"
    else:
        raise OSError("a foreign page was let in")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    for name in ("email", "password", "token", "sender"):
        parser.add_argument("--" + name)
    try:
        async for line in attempts(parser.parse_args()):
            print("works:", line)
    except (OSError, websockets.WebSocketException) as error:
        print("does not work:", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
'''
ONE_BY_ONE = '''\
"""The same with one client for each version."""

import sys

import httpx

for http2 in (False, True):
    with httpx.Client(http2=http2) as client:
        answers = [client.get(f"{sys.argv[1]}/api/v1/health/") for _ in range(5)]
    print(answers[0].http_version, "over 1 connection")
'''

NO_SOCKETS_UNDER = """\
application = LogMiddleware(router)

import sys

if %r in sys.argv[0]:
    application = django_application
"""
WRAPPED = "application = LogMiddleware(router)\n"

TRIED_LAYERS = """\
from django.conf import settings

try:
    from channels.layers import get_channel_layer as layer_of_channels
except ImportError:
    layer_of_channels = None


def has_websockets():
    return bool(layer_of_channels and settings.WEBSOCKETS and settings.CHANNEL_LAYERS)


def get_channel_layer():
    return layer_of_channels() if has_websockets() else None
"""
ANSWERS_404 = """\
    await receive()
    start = {"type": "websocket.http.response.start", "status": 404, "headers": []}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": b"HTTP only"})
"""
NEWS = """\
                async for text in self.news(min(beat, self.claims["exp"]), hints):
                    yield text
"""

VARIANTS = [
    # Part 1: which server?
    broken(
        "servers.runserver",
        "the runserver of Django itself, which speaks WSGI",
        Edit(
            SETTINGS,
            "    # First, so that its runserver command replaces the one in staticfiles.\n"
            '    "daphne",\n',
            "",
        ),
    ),
    broken(
        "servers.daphne",
        "no sockets under daphne",
        Edit(ASGI, WRAPPED, NO_SOCKETS_UNDER % "daphne"),
    ),
    broken(
        "servers.uvicorn",
        "no sockets under uvicorn",
        Edit(ASGI, WRAPPED, NO_SOCKETS_UNDER % "uvicorn"),
    ),
    correct(
        "servers.runserver",
        "daphne by its configuration",
        Edit(SETTINGS, '    "daphne",\n', '    "daphne.apps.DaphneConfig",\n'),
    ),
    correct(
        "servers.daphne",
        "the application is a function",
        Edit(ASGI, WRAPPED, APPLICATION),
    ),
    correct(
        "servers.uvicorn",
        "another expression for the path",
        Edit(
            ROUTING,
            'r"^ws/notifications/?$", NotificationConsumer.as_asgi()',
            'r"^ws/notifications(?:/|)$", NotificationConsumer.as_asgi()',
        ),
    ),
    broken(
        "servers.static",
        "only runserver serves static files",
        Edit(URLS, "urlpatterns += staticfiles_urlpatterns()\n", ""),
    ),
    correct(
        "servers.static",
        "a view of staticfiles instead of its patterns",
        Edit(URLS, "urlpatterns += staticfiles_urlpatterns()\n", OWN_STATIC),
    ),
    broken(
        "servers.runasgi",
        "the command serves nothing",
        Edit(COMMAND, STARTS, "        self.stdout.write(str(own))\n"),
    ),
    broken(
        "servers.runasgi",
        "it listens on this machine only, whatever --host says",
        Edit(COMMAND, 'own = ("host", "port",', 'own = ("port",'),
    ),
    correct(
        "servers.runasgi",
        "the app has another configuration",
        Edit("backend/server/apps.py", "ServerConfig", "RunsServers"),
    ),
    broken(
        "servers.interface",
        "WSGI is accepted",
        Edit(COMMAND, 'if options["interface"] != "asgi":', "if False:"),
    ),
    correct(
        "servers.interface",
        "argparse refuses it",
        Edit(
            COMMAND,
            '"--interface", default="asgi", help',
            '"--interface", default="asgi", choices=["asgi"], help',
        ),
    ),
    correct(
        "runasgi.workers",
        "it looks at the layer itself",
        Edit(
            COMMAND,
            '    backends = [layer["BACKEND"] for layer in settings.CHANNEL_LAYERS.values()]\n'
            '    return not any("InMemory" in backend for backend in backends)\n',
            "    from channels.layers import InMemoryChannelLayer, get_channel_layer\n\n"
            "    return not isinstance(get_channel_layer(), InMemoryChannelLayer)\n",
        ),
    ),
    correct(
        "runasgi.deflate",
        "it calls uvicorn's own command line",
        Edit(COMMAND, "", WHOLE_COMMAND),
    ),
    correct(
        "runasgi.ends",
        "the command becomes uvicorn",
        Edit(COMMAND, STARTS, BECOMES),
    ),
    broken(
        "runasgi.workers",
        "two processes without Redis",
        Edit(
            COMMAND,
            'if options["workers"] > 1 and not events_reach_all_processes():',
            "if False:",
        ),
    ),
    broken(
        "runasgi.workers",
        "never more than one process",
        Edit(COMMAND, "and not events_reach_all_processes()", ""),
    ),
    broken(
        "runasgi.deflate",
        "uvicorn's default",
        Edit(COMMAND, '    "ws_per_message_deflate": False,\n', ""),
    ),
    broken(
        "runasgi.ends",
        "uvicorn in a process that hears no signal",
        Edit(COMMAND, STARTS, IN_A_CHILD),
    ),
    # Part 2: a client for any server
    broken(
        "client.works",
        "it waits for an answer that never comes",
        Edit(CLIENT, 'receive(self.socket, "pong")', 'receive(self.socket, "ponged")'),
    ),
    correct(
        "client.works",
        "one function with asyncio, which stops at the first failure",
        Edit(CLIENT, "", ASYNC_CLIENT),
    ),
    broken(
        "client.token",
        "it shows the ticket",
        Edit(
            CLIENT,
            'return receive(self.socket, "connection_established")["message"]',
            "return answer",
        ),
    ),
    broken(
        "client.down",
        "an error of the network is a traceback",
        Edit(
            REMOTE, "except (OSError, ValueError) as error:", "except ValueError as error:"
        ),
    ),
    broken(
        "client.finds",
        "it tries no page of another site",
        Edit(CLIENT, "Client.stranger, Client.elsewhere]", "Client.stranger]"),
    ),
    broken(
        "client.finds",
        "whatever it finds, it ends with 0",
        Edit(CLIENT, REFUSED_ELSEWHERE, '        return "it was let in"\n'),
    ),
    broken(
        "client.quiet",
        "it starts when it is imported",
        Edit(CLIENT, ENDS, "sys.exit(main())\n"),
    ),
    # Part 3: HTTP/2
    correct(
        "client.token",
        "the header is written in another way",
        Edit(
            REMOTE,
            '            headers["Authorization"] = f"Bearer {token}"\n',
            '            headers |= {"Authorization": " ".join(["Bearer", token])}\n',
        ),
    ),
    correct(
        "client.down",
        "it stops at the first failure",
        Edit(CLIENT, "if failed and attempt in NEEDED:", "if failed:"),
    ),
    correct(
        "client.finds",
        "refusals first",
        Edit(CLIENT, "NEEDED + OTHERS:", "NEEDED + OTHERS[::-1]:"),
    ),
    correct(
        "client.quiet",
        "SystemExit instead of sys.exit()",
        Edit(CLIENT, "    sys.exit(main())\n", "    raise SystemExit(main())\n"),
    ),
    broken(
        "http2.required",
        "only this machine has h2",
        Edit(
            REQUIREMENTS,
            "Twisted[http2]==26.10.0  # what daphne needs for HTTP/2\n",
            "",
        ),
    ),
    correct(
        "http2.required",
        "the packages themselves",
        Edit(
            REQUIREMENTS,
            "Twisted[http2]==26.10.0  # what daphne needs for HTTP/2\n",
            "h2==4.4.1\npriority==1.3.0\n",
        ),
    ),
    broken(
        "http2.requests",
        "a middleware that knows the older versions only",
        Edit(
            LOGS,
            '        if scope["type"] == "http":\n',
            '        if scope["type"] == "http":\n'
            '            assert scope["http_version"] in ("1.0", "1.1")\n',
        ),
    ),
    broken(
        "http2.socket",
        "no other page than its own may open a socket",
        Edit(
            ORIGINS,
            "if origin is None or origin in settings.ALLOWED_ORIGINS:",
            "if origin is None:",
        ),
    ),
    correct(
        "http2.requests",
        "the log has the version",
        Edit(
            LOGS,
            'logger.info("%s %s", scope["method"], scope["path"], extra=fields)',
            'said = "{method} {path} HTTP/{http_version}".format_map(scope)\n'
            "        logger.info(said, extra=fields)",
        ),
    ),
    correct(
        "http2.socket",
        "the list that CORS reads",
        Edit(
            ORIGINS,
            "origin in settings.ALLOWED_ORIGINS",
            "origin in settings.CORS_ALLOWED_ORIGINS",
        ),
    ),
    broken(
        "http2.compared",
        "HTTP/1.1 both times",
        Edit(COMPARISON, "http2=http2, limits", "http2=False, limits"),
    ),
    correct(
        "http2.compared",
        "one request after the other",
        Edit(COMPARISON, "", ONE_BY_ONE),
    ),
    broken(
        "http-only.api",
        "nothing is stored where nobody can be connected",
        Edit(
            EVENTS,
            "    stored = Notification.objects.bulk_create(\n",
            "    from notifications.layers import has_websockets\n\n"
            "    if not has_websockets():\n"
            "        return\n"
            "    stored = Notification.objects.bulk_create(\n",
        ),
    ),
    correct(
        "http-only.api",
        "the package is tried, once",
        Edit(LAYERS, "", TRIED_LAYERS),
    ),
    broken(
        "http-only.told",
        "the health check skips what is not there",
        Edit(PARTS, "        raise HttpOnly\n", "        return\n"),
    ),
    broken(
        "http-only.told",
        "each health check logs it",
        Edit(PARTS, "        raise HttpOnly\n", '        raise OSError("no layer")\n'),
    ),
    correct(
        "http-only.told",
        "each request prints a megabyte",
        Edit(
            ASGI,
            '    is_socket = scope["type"] == "websocket"\n',
            '    is_socket = scope["type"] == "websocket"\n    print("noise " * 200_000)\n',
        ),
    ),
    correct(
        "http-only.told",
        "the health check notes it for those who debug",
        Edit(
            HEALTH,
            "    except HttpOnly:\n",
            '    except HttpOnly:\n        logger.debug("HTTP only")\n',
        ),
    ),
    broken(
        "http-only.handshake",
        "Django gets the sockets",
        Edit(
            ASGI,
            "socket_application = http_only.refuse",
            "socket_application = django_application",
        ),
    ),
    correct(
        "http-only.handshake",
        "it is answered with 404 and a text",
        Edit(
            HTTP_ONLY,
            '    await receive()\n    await send({"type": "websocket.close"})\n',
            ANSWERS_404,
        ),
    ),
    broken(
        "http-only.package",
        "services.py imports Channels",
        Edit(
            SERVICES,
            "from notifications.layers import get_channel_layer",
            "from channels.layers import get_channel_layer",
        ),
    ),
    correct(
        "http-only.package",
        "the settings try to import it",
        Edit(
            SETTINGS,
            "from importlib.util import find_spec\n",
            "try:\n    import channels\nexcept ImportError:\n    channels = None\n",
        ),
        Edit(SETTINGS, 'bool(find_spec("channels"))', "channels is not None"),
    ),
    broken(
        "stream.events",
        "events wait for the next heartbeat",
        Edit(
            OPEN_STREAM,
            NEWS,
            '                news = self.news(min(beat, self.claims["exp"]), hints)\n'
            '                yield "".join([text async for text in news])\n',
        ),
    ),
    broken(
        "stream.events",
        "no announcements",
        Edit(
            EVENT_STREAM,
            "self.streams = [self.own, AnnouncementStream(None)]",
            "self.streams = [self.own]",
        ),
    ),
    correct(
        "stream.events",
        "the lines of an event in another order",
        Edit(
            EVENT_STREAM,
            '        return "\\n".join([*lines, "", ""])',
            '        return "\\n".join([*reversed(lines), "", ""])',
        ),
    ),
    broken(
        "stream.resumes",
        "the greeting has the place behind what was missed",
        Edit(
            EVENT_STREAM,
            "        yield self.text(greeting)\n",
            "        yield self.text(greeting, self.place())\n",
        ),
    ),
    correct(
        "stream.resumes",
        "the place may be in the address",
        Edit(
            OPEN_STREAM,
            'request.headers.get("Last-Event-ID")',
            'request.headers.get("Last-Event-ID") or request.GET.get("after")',
        ),
    ),
    broken(
        "stream.lost",
        "numbers of another epoch are taken for those of this one",
        Edit(
            STREAMS,
            "if not found or found[1] != streams[0].epoch:",
            "if not found:",
        ),
    ),
    correct(
        "stream.lost",
        "fewer lists to request",
        Edit(STREAMS, '    "/api/friends/requests/",\n', ""),
    ),
    broken(
        "stream.http-only",
        "nothing wakes a stream without a layer",
        Edit(HINTS, "seconds = min(seconds, settings.POLL_SECONDS)", "pass"),
    ),
    correct(
        "stream.http-only",
        "it looks every second",
        Edit(HINTS, "min(seconds, settings.POLL_SECONDS)", "min(seconds, 1)"),
    ),
    broken(
        "stream.refuses",
        "a token in the address is taken, too",
        Edit(
            OPEN_STREAM,
            'request.headers.get("Authorization", "")',
            "request.headers.get(\n"
            '        "Authorization", f"Bearer {request.GET.get(\'token\')}"\n'
            "    )",
        ),
    ),
    correct(
        "stream.refuses",
        "the stream has its older address, too",
        Edit(
            URLS,
            '    path("api/notifications/", include("notifications.urls")),\n',
            '    path("api/notifications/stream/", event_stream),\n'
            '    path("api/notifications/", include("notifications.urls")),\n',
        ),
    ),
    broken(
        "stream.ends",
        "only the token's end is looked at",
        Edit(OPEN_STREAM, " or await user_of(self.claims) is None", ""),
    ),
    correct(
        "stream.ends",
        "one call for each group",
        Edit(
            SESSIONS,
            "        async_to_sync(send_to_groups)(events)\n",
            "        for group, event in events.items():\n"
            "            async_to_sync(send_to_groups)({group: event})\n",
        ),
    ),
    broken(
        "stream.counted",
        "a stream is no socket",
        Edit(
            OPEN_STREAM,
            "if not await enter(user.pk, stream.channel):",
            "if not await enter(user.pk, stream.channel) and settings is None:",
        ),
    ),
    correct(
        "stream.counted",
        "places that are left",
        Edit(
            CONNECTIONS,
            "if theirs.filter(open=True).count() >= settings.SOCKETS_PER_USER:",
            "if settings.SOCKETS_PER_USER - theirs.filter(open=True).count() < 1:",
        ),
    ),
    broken(
        "stream.idle",
        "the request keeps its thread",
        Edit(OPEN_STREAM, "        give_thread_back()\n", ""),
    ),
    broken(
        "stream.idle",
        "nothing is sent while nothing happens",
        Edit(OPEN_STREAM, "                yield STILL_HERE\n", ""),
    ),
    correct(
        "stream.idle",
        "a few threads for all streams and sockets",
        Edit(THREADS, "sync_to_async(run)", "sync_to_async(run, thread_sensitive=False)"),
    ),
    broken(
        "stream.page",
        "the page tries sockets for ever",
        Edit(MODULE, "  else stream(connection);\n", "  else retry(connection, code);\n"),
    ),
    correct(
        "stream.page",
        "other words",
        Edit(PAGE, '"Connected over HTTP"', '"Live over HTTP"'),
    ),
    broken(
        "stream.falls-back",
        "a page that reads a stream never opens a socket again",
        Edit(
            MODULE,
            "  connection.trial = setTimeout(() => trySocket(connection), SOCKET_AGAIN);\n",
            "",
        ),
    ),
    broken(
        "stream.falls-back",
        "it begins again where the server is",
        Edit(
            MODULE,
            "  if (!connection.epoch) startAt(connection, frame);\n",
            "  if (stream || !connection.epoch) startAt(connection, frame);\n",
        ),
    ),
    correct(
        "stream.falls-back",
        "other times",
        Edit(MODULE, "const SOCKET_AGAIN = 60_000;", "const SOCKET_AGAIN = 30_000;"),
        Edit(MODULE, "const SOCKETS_TRIED = 3;", "const SOCKETS_TRIED = 2;"),
    ),
]
