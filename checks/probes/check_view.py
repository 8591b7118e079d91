"""Tells which code of the project answers a request: `check_view.py METHOD PATH`."""

import contextlib
import inspect
import json
import os
import re
import sys


def main():
    """Report {"file", "line", "name"} of the view, None where it is nothing of the project's."""
    sys.path[0] = os.getcwd()
    import django

    django.setup()
    from django.urls import Resolver404, resolve

    method, path = sys.argv[1].lower(), sys.argv[2].partition("?")[0]
    found = None
    with contextlib.suppress(Resolver404):
        found = next(
            filter(None, map(_place, _candidates(resolve(path).func, method))), None
        )
    print("RESULT " + json.dumps(found))


def _candidates(view, method):
    """The method that handles such a request, then the class, or the function itself."""
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if cls is None:
        return [inspect.unwrap(view)]
    actions = getattr(view, "actions", None) or {}
    handler = getattr(cls, actions.get(method, method), None)
    return [part for part in (handler, cls) if part is not None]


def _place(part):
    """Where it is, if that is a file of the project's; a decorator may have hidden its line."""
    own = os.getcwd() + os.sep
    with contextlib.suppress(TypeError, OSError):
        file = os.path.abspath(inspect.getsourcefile(part))
        if file.startswith(own) and "site-packages" not in file:
            line = inspect.getsourcelines(part)[1]
            return {"file": file, "line": line, "name": part.__qualname__}
    module = sys.modules.get(getattr(part, "__module__", None))
    file = getattr(module, "__file__", None) or ""
    if not file.startswith(own) or "site-packages" in file:
        return None
    name = part.__name__
    with open(file, encoding="utf-8", errors="replace") as source:
        text = source.read()
    match = re.search(rf"^(?:(?:async )?def|class) {re.escape(name)}\b", text, re.MULTILINE)
    line = text.count("\n", 0, match.start()) + 1 if match else None
    return {"file": file, "line": line, "name": name}


if __name__ == "__main__":
    main()
