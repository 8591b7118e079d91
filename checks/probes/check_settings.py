"""Tells how the settings look to a process that has just set Django up."""

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
            found["error"] = f"{named} is a {type(value).__name__}, which cannot be called"
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
        }
    if layer is None:
        return {"class": None, "memory": False}
    kind = type(layer)
    memory = isinstance(layer, InMemoryChannelLayer)
    return {"class": f"{kind.__module__}.{kind.__qualname__}", "memory": memory}


if __name__ == "__main__":
    main()
