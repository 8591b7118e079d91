"""Runs first in every Python that a check starts: keeps it away from the learner's data.

The tool puts this folder on PYTHONPATH. Whatever settings module the project loads, by
whichever route, its databases, caches, mail and channel layer are pointed at scratch ones
before anything can use them; what was done is written down as proof. A limit of requests
per minute refuses nobody there: a check asks faster than people do. It also ends the
process when the tool is gone, however the tool ended.
"""

import faulthandler
import gc
import importlib.machinery
import json
import os
import re
import signal
import sys
import threading
from urllib.parse import urlsplit

_ORIGIN = re.compile(r"https?://[\w.*-]+(:\d+)?/?")


def _plan():
    return json.loads(os.environ.get("NUMENEON_CHECK", "null"))


def _apply(settings, plan):
    """Point one Settings object at scratch resources; exits if it cannot be proven."""
    if plan["database"] == "verify":
        _verify_database(settings, plan)
    else:
        _put(settings, "DATABASES", _scratch_databases(settings, plan["database"]))
        _put(settings, "CACHES", _scratch_caches(settings, plan))
    _put(settings, "EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    # Accounts of a check live for seconds; slow hashing would only make the learner wait.
    _put(settings, "PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"])
    _put(settings, "DEFAULT_EXCEPTION_REPORTER", "check_reporter.PlainReporter")
    project_layers = getattr(settings, "CHANNEL_LAYERS", {})
    if plan["layer"] != "project":
        _put(settings, "CHANNEL_LAYERS", {"default": plan["layer"]})
    if not plan.get("throttled"):
        _put(settings, "RATELIMIT_ENABLE", False)  # the switch of django-ratelimit
    for name, value in plan.get("shorter", {}).items():
        if hasattr(settings, name):
            _put(settings, name, value)
    if plan["middleware"]:
        _put(settings, "MIDDLEWARE", [*plan["middleware"], *settings.MIDDLEWARE])
    _write_facts(settings, plan, project_layers)


def _put(settings, name, value):
    setattr(settings, name, value)
    settings._explicit_settings.add(name)


def _scratch_databases(settings, path):
    def scratch(alias):
        theirs = settings.DATABASES.get(alias, {})
        # One of their own for SQLite stays: it may count queries.
        engine = str(theirs.get("ENGINE"))
        is_sqlite = engine.endswith(".sqlite3")
        engine = engine if is_sqlite else "django.db.backends.sqlite3"
        options = theirs.get("OPTIONS", {}) if is_sqlite else {}
        return {
            "ENGINE": engine,
            "NAME": path if alias == "default" else f"{path}.{alias}",
            # It decides when on_commit() callbacks run: theirs has to stay as it is.
            "ATOMIC_REQUESTS": theirs.get("ATOMIC_REQUESTS", False),
            "OPTIONS": {**_scratch_options(), **options, "timeout": 20},
        }

    return {alias: scratch(alias) for alias in {"default", *settings.DATABASES}}


def _scratch_caches(settings, plan):
    """Caches in memory; with `caches` in the plan, those that are scratch anyway stay."""
    memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if not plan.get("caches"):
        return {"default": memory}
    caches = getattr(settings, "CACHES", {"default": memory})
    return {
        alias: entry if _is_scratch(entry) else memory for alias, entry in caches.items()
    }


def _is_scratch(entry):
    """Whether a cache is in the database, which is ours, or in the Redis that we have named."""
    if str(entry.get("BACKEND", "")).endswith(".DatabaseCache"):
        return True
    ours = urlsplit(os.environ.get("REDIS_URL", "")).netloc
    named = entry.get("LOCATION") or ""
    places = [named] if isinstance(named, str) else named
    return bool(ours) and all(urlsplit(place).netloc == ours for place in places)


def _scratch_options():
    """Items run side by side: without the first one SQLite answers a second writer with "locked".
    Without the second one each commit waits for the disk, for the sake of what nobody keeps."""
    import django

    if django.VERSION < (5, 1):
        return {}
    return {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA synchronous=OFF"}


def _verify_database(settings, plan):
    """The project reads DATABASE_URL itself; stop unless it leads where we said."""
    wanted = plan["database_is"]
    for alias, database in settings.DATABASES.items():
        seen = {key: str(database.get(key, "")) for key in wanted}
        if seen != wanted:
            name = database.get("NAME")
            sys.exit(
                f"numeneon-check: refused to start: database {alias!r} is {str(name)!r}, "
                "not the scratch database that DATABASE_URL names"
            )


def _write_facts(settings, plan, project_layers):
    jwt = getattr(settings, "SIMPLE_JWT", {})
    facts = {
        "settings_module": settings.SETTINGS_MODULE,
        "database": str(settings.DATABASES["default"]["NAME"]),
        "installed_apps": list(settings.INSTALLED_APPS),
        "asgi_application": getattr(settings, "ASGI_APPLICATION", None),
        "channel_layers": project_layers,
        "jwt": {
            "key": jwt.get("SIGNING_KEY") or settings.SECRET_KEY,
            "algorithm": jwt.get("ALGORITHM", "HS256"),
        },
        "debug": settings.DEBUG,
        "allowed_hosts": list(settings.ALLOWED_HOSTS),
        "origins": _origins_in(settings),
    }
    target = os.path.join(plan["facts"], f"{os.getpid()}.json")
    with open(target + ".part", "w", encoding="utf-8") as file:
        json.dump(facts, file, default=_as_text)
    os.replace(target + ".part", target)


def _origins_in(settings):
    """The addresses of front ends that any setting names, alone or in a list."""
    values = [getattr(settings, name) for name in sorted(settings._explicit_settings)]
    lists = [v if isinstance(v, (list, tuple, set)) else [v] for v in values]
    texts = [text for part in lists for text in part if isinstance(text, str)]
    return [text for text in texts if _ORIGIN.fullmatch(text)]


def _as_text(value):
    """What JSON does not know; a key may be bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def end_with_parent():
    """Leave as soon as the tool's end of our standard input closes."""

    def wait():
        while os.read(0, 1024):
            pass
        _end_descendants()
        os._exit(3)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()


def _end_descendants():
    """End what this process has started, in a session of its own too: it has our mark.

    The tool does the same when it is still there (course/processes.py).
    """
    mark = b"NUMENEON_PIPE=" + os.environ.get("NUMENEON_PIPE", "").encode()
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        try:
            with open(f"/proc/{int(name)}/environ", "rb") as file:
                if mark in file.read().split(b"\0") and int(name) != os.getpid():
                    os.kill(int(name), signal.SIGKILL)
        except (OSError, ValueError):
            continue  # no process, one of somebody else's, or one that has just ended


def _say_where_on_request():
    """Print the lines that all threads are at when the tool asks: see harness/hanging.py."""
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)


def _say_who_ends():
    """Have os._exit() and sys.exit() say which line of the project called them, if a module
    calls one of them while it is imported: the process would end without a word."""

    def telling(end, name):
        def ended(status=0):
            if (frame := _importing_frame()) is not None:
                file, line = frame.f_code.co_filename, frame.f_lineno
                sys.stderr.write(
                    "Traceback (most recent call last):\n"
                    f'  File "{file}", line {line}, in {frame.f_code.co_name}\n'
                    f"SystemExit: {name}({status!r}) ended the process during an import\n"
                )
                sys.stderr.flush()
            end(status)

        return ended

    os._exit, sys.exit = telling(os._exit, "os._exit"), telling(sys.exit, "sys.exit")


def _importing_frame():
    """The project's own line that is ending the process, if an import led to it."""
    own, frame = None, sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if own is not None and file.startswith("<frozen importlib"):
            return own
        if own is None and file.startswith(os.getcwd() + os.sep):
            own = frame
        frame = frame.f_back
    return None


def _guard_settings():
    try:
        from django import conf
    except ImportError:
        return

    class GuardedSettings(conf.Settings):
        def __init__(self, settings_module):
            super().__init__(settings_module)
            _apply(self, _plan())

    conf.Settings = GuardedSettings


class _UnthrottledViews:
    """Lets every request through that a throttle of Django REST framework would refuse.

    A learner's "30 requests a minute for strangers" is right, and no item judges it, but
    a checklist sends more than that. Throttles are still made and asked, with the rates of
    the settings, so a mistake in them shows; only what they say is not acted on. Views
    cannot be imported before the settings are, so this waits for their module instead of
    importing it. `throttled` in the plan leaves all as it is, for the project's own tests.
    """

    _MODULE = "rest_framework.views"

    def find_spec(self, name, path=None, target=None):
        """Called for each import: take the one module over from whoever would load it."""
        if name != self._MODULE or (_plan() or {}).get("throttled"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec and spec.loader:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        """As the loader that was there."""
        return self._loader.create_module(spec)

    def exec_module(self, module):
        """Run the module, then replace the one method."""
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        module.APIView.check_throttles = _ask_throttles


def _ask_throttles(view, request):
    """In place of APIView.check_throttles(), which ends in HTTP 429."""
    for throttle in view.get_throttles():
        throttle.allow_request(request, view)


def holds_the_pipe():
    """Programs that the project starts inherit our folder, but seldom the tool's pipe."""
    try:
        return str(os.fstat(0).st_ino) == os.environ.get("NUMENEON_PIPE")
    except OSError:
        return False


def _see_only(folder):
    """Import packages from `folder` alone, as after a fresh install into it."""
    import site

    if os.path.exists(folder + ".everything"):
        return  # what the build installs cannot be told
    places = ("site-packages", "dist-packages")
    sys.path[:] = [path for path in sys.path if os.path.basename(path) not in places]
    site.addsitedir(folder)


if _plan() is not None:
    # These processes live for seconds: what they would collect meanwhile is a tenth of the
    # time that they take to start.
    gc.set_threshold(20_000, 20, 20)
    if "packages" in _plan():
        _see_only(_plan()["packages"])
    _guard_settings()
    _say_who_ends()
    _say_where_on_request()
    sys.meta_path.insert(0, _UnthrottledViews())
    if holds_the_pipe() and "NUMENEON_WARM" not in os.environ:
        end_with_parent()
