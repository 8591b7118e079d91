"""Tells which of the packages named on the command line this interpreter can use.

`check_packages.py DIST:MODULE,MODULE ...` reports {dist: {version, error, file}} and the
interpreter's own version.
"""

import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import sys


def main():
    # As for `python manage.py`: a file of the project can hide a package of that name.
    sys.path[0] = os.getcwd()
    found = {}
    for argument in sys.argv[1:]:
        dist, _, modules = argument.partition(":")
        found[dist] = _look(dist, modules.split(","))
    environment = {
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
    }
    print("RESULT " + json.dumps({"packages": found, "environment": environment}))


def _look(dist, modules):
    seen = {"version": None, "error": None, "file": None}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        seen["version"] = importlib.metadata.version(dist)
    try:
        for name in modules:
            seen["file"] = getattr(importlib.import_module(name), "__file__", None)
    except (Exception, SystemExit) as error:
        seen["error"] = f"{type(error).__name__}: {error}"
        module = sys.modules.get(modules[0].split(".")[0])
        seen["file"] = getattr(module, "__file__", None)
    return seen


if __name__ == "__main__":
    main()
