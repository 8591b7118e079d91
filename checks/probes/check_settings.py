"""Tells how the settings look to a process that has just set Django up."""

import difflib
import importlib
import json
import os
import sys
import traceback


def main():
    sys.path[0] = os.getcwd()
    import django

    django.setup()
    from django.apps import apps
    from django.conf import settings

    report = {
        "apps": [config.name for config in apps.get_app_configs()],
        "asgi": _asgi(getattr(settings, "ASGI_APPLICATION", None)),
        "layer": _layer(),
    }
    print("RESULT " + json.dumps(report))


def _asgi(named):
    """What ASGI_APPLICATION names, and what came of importing it."""
    found = {"setting": named, "error": None, "traceback": ""}
    try:
        module, _, name = str(named).rpartition(".")
        value = getattr(importlib.import_module(module), name)
        if not callable(value):
            found["error"] = f"{named} is a {type(value).__name__}, which is not callable"
    except (Exception, SystemExit) as error:
        found["error"] = f"{type(error).__name__}: {error}"
        found["traceback"] = traceback.format_exc()
    return found


def _layer():
    """The class of the default channel layer, and whether it stays in this process."""
    try:
        from channels.layers import InMemoryChannelLayer, get_channel_layer

        layer = get_channel_layer()
    except Exception as error:
        traceback.print_exc()
        return {
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exc(),
            "config": layer_config(),
        }
    if layer is None:
        return {"class": None, "memory": False}
    kind = type(layer)
    memory = isinstance(layer, InMemoryChannelLayer)
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "memory": memory,
        "config": layer_config(),
    }


def layer_config():
    """What CHANNEL_LAYERS says of the default layer: no values, since they hold secrets.

    `hosts` is "list", or what it is instead, None if it is not there or empty; `why` says
    what is wrong with BACKEND, `alike` which layer it may mean.
    """
    from django.conf import settings

    try:
        entry = settings.CHANNEL_LAYERS["default"]
        config = entry.get("CONFIG") or {}
        hosts = config.get("hosts")
        kind = "string" if isinstance(hosts, (str, bytes)) else type(hosts).__name__
        backend = entry.get("BACKEND")
        return {
            "backend": backend,
            "why": _why(backend),
            "alike": _alike(backend),
            "keys": [str(key) for key in config],
            "hosts": ("list" if kind == "tuple" else kind) if hosts else None,
        }
    except (AttributeError, KeyError, TypeError):
        return None


def _why(backend):
    """Why BACKEND cannot be imported, None if it can."""
    from django.utils.module_loading import import_string

    try:
        import_string(backend)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _alike(dotted):
    """The layer that a BACKEND means that cannot be imported, None if that is unclear."""
    known = [
        "channels.layers.InMemoryChannelLayer",
        "channels_redis.core.RedisChannelLayer",
        "channels_redis.pubsub.RedisPubSubChannelLayer",
    ]
    alike = difflib.get_close_matches(str(dotted), known, 1, 0.85)
    return alike[0] if alike and alike[0] != dotted else None


if __name__ == "__main__":
    main()
