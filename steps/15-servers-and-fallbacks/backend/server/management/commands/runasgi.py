"""manage.py runasgi: uvicorn, with the options that this project needs."""

import os

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

# What is the same wherever the project runs.
DEFAULTS = {
    "app": "numeneon.asgi:application",
    "interface": "asgi3",
    "lifespan": "off",  # Channels has nothing to do when a server starts or ends
    "log_config": None,  # settings.LOGGING, which uvicorn would replace
    "access_log": False,  # numeneon/logs.py logs each request
    "ws_max_size": settings.MAX_FRAME_BYTES,
    # Small frames do not get smaller, and each socket would keep memory to try.
    "ws_per_message_deflate": False,
    # Less than the thirty seconds after which a host kills what has not ended.
    "timeout_graceful_shutdown": 20,
}


class Command(BaseCommand):
    """Start uvicorn."""

    help = (
        "Serves HTTP and WebSockets: for production, and with --reload for development."
    )

    def add_arguments(self, parser):
        """Called by Django to learn the command's options."""
        parser.add_argument(
            "--host", default="127.0.0.1", help="0.0.0.0: from anywhere"
        )
        port = os.environ.get("PORT") or 8000
        parser.add_argument(
            "--port", type=int, default=port, help="default: $PORT or 8000"
        )
        parser.add_argument("--interface", default="asgi", help="asgi, nothing else")
        parser.add_argument(
            "--reload", action="store_true", help="start again after each change"
        )
        workers = os.environ.get("WEB_CONCURRENCY") or 1
        parser.add_argument(
            "--workers",
            type=int,
            default=workers,
            help="how many processes: default: $WEB_CONCURRENCY or 1",
        )

    def handle(self, *args, **options):
        """Called by Django to run the command."""
        if options["interface"] != "asgi":
            raise CommandError("--interface must be asgi: WSGI carries no WebSockets.")
        if options["workers"] > 1 and not events_reach_all_processes():
            raise CommandError(
                "--workers needs REDIS_URL: without Redis, an event stays in the"
                " process that sends it, and never reaches the sockets of the others."
            )
        own = ("host", "port", "reload", "workers")
        uvicorn.run(**DEFAULTS, **{name: options[name] for name in own})


def events_reach_all_processes():
    """Return whether the channel layer is outside of this process, if there is one."""
    backends = [layer["BACKEND"] for layer in settings.CHANNEL_LAYERS.values()]
    return not any("InMemory" in backend for backend in backends)
