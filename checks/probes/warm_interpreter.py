"""An interpreter started ahead of time: imports the libraries, then waits for its task.

The task is one line of JSON on standard input: {"argv": [...], "env": {...}}, where argv
is what would have followed `python` on the command line.
"""

import contextlib
import importlib
import json
import os
import runpy
import subprocess
import sys

import sitecustomize

LIBRARIES = [
    "django.core.management.commands.runserver",
    "django.core.management.commands.migrate",
    "django.core.handlers.asgi",
    "django.contrib.admin",
    "django.contrib.admindocs.views",
    "django.contrib.auth.hashers",
    "django.contrib.auth.management",
    "django.contrib.auth.password_validation",
    "django.contrib.auth.tokens",
    "django.contrib.contenttypes.management",
    "django.contrib.messages.storage.cookie",
    "django.contrib.messages.storage.session",
    "django.contrib.sessions.backends.base",
    "django.contrib.sites.shortcuts",
    "django.contrib.staticfiles.finders",
    "django.db.backends.sqlite3.base",
    "django.db.models",
    "django.forms",
    "django.template.backends.django",
    "django.test.signals",
    "django.views.debug",
    "dj_database_url",
    "jwt",
    "channels.consumer",
    "channels.layers",
    "channels.routing",
    "channels.security.websocket",
    "daphne.access",
    "daphne.http_protocol",
    "daphne.ws_protocol",
    "redis.asyncio",
    "channels_redis.pubsub",
    "psycopg",
    "pygments.formatters.html",
    "pygments.lexers",
    "pygments.styles.default",
    "requests",
    "yaml",
    # Whatever of these reads the settings cannot be imported here: views, models, tokens.
    "rest_framework.authentication",
    "rest_framework.checks",
    "rest_framework.mixins",
    "rest_framework.serializers",
    "rest_framework.urlpatterns",
    "rest_framework.utils.breadcrumbs",
    "rest_framework.utils.formatting",
    "rest_framework_simplejwt.utils",
    "uvicorn.main",
    "uvicorn.lifespan.off",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "whitenoise.middleware",
    "whitenoise.storage",
]
# These install Twisted's reactor, and with it an event loop: one process each.
_REACTOR = ["daphne.cli", "daphne.server"]


def main():
    import_all([*LIBRARIES, *_REACTOR])
    compile_patterns()
    task = json.loads(sys.stdin.buffer.raw.readline() or "null")
    if task is None:
        return
    pipe = os.environ["NUMENEON_PIPE"]
    os.environ.clear()
    os.environ.update(task["env"], NUMENEON_PIPE=pipe)
    sitecustomize.end_with_parent()
    become(task["argv"])


def import_all(names):
    """Import what there is of these modules."""
    for name in names:
        # Whatever cannot be imported here is imported, or missed, when the project does.
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def compile_patterns():
    """Have Django compile its pattern of an e-mail address, which it does at its first use:
    that takes longer than anything else in a sign-up."""
    with contextlib.suppress(Exception):
        validators = importlib.import_module("django.core.validators")
        validators.validate_email("somebody@example.com")


def become(argv):
    """Run as if `python ARGV` had been typed in the current folder."""
    is_command = os.path.basename(argv[0]) == "manage.py"
    if hides_a_library(os.path.dirname(argv[0]) if is_command else ""):
        start_anew(argv)
    sys.modules.pop("__main__", None)
    # Where processes that this one spawns, such as uvicorn's workers, look for the project.
    if "multiprocessing.process" in sys.modules:
        sys.modules["multiprocessing.process"].ORIGINAL_DIR = os.getcwd()
    if argv[0] == "-m":
        sys.path[0] = os.getcwd()
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(argv[0]))
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")


def hides_a_library(folder):
    """Whether a file in the project's folder has the name of a package that is imported already.

    The project must meet its own `redis.py` before the library, as it would when started.
    """
    loaded = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
    return bool(loaded & {name.removesuffix(".py") for name in os.listdir(folder or ".")})


def start_anew(argv):
    """Run the same in an interpreter that has imported nothing."""
    command = [sys.executable, *argv]
    if os.name == "nt":  # where exec leaves the waiting parent behind
        sys.exit(subprocess.call(command))
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
