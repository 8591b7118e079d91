"""Reads the projects named on standard input; prints what they offer, as JSON.

In:  {"ours": FOLDER, "projects": [{"backend": FOLDER, "settings": MODULE, "values": {...}}]}
Out: {"endpoints": [...], "variables": [[...], ...]}

Endpoints are those of the last project, variables those of each. `values` are the ones that
its host is known to set. An error ends the process with a traceback.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from tools.site.introspection import Variable, endpoints
from tools.site.introspection.variables import (
    Project,
    RecordingEnviron,
    Settings,
    merged,
)


def main() -> None:
    """Called once, in a fresh process whose environment leads to no real data."""
    order = json.load(sys.stdin)
    _leave(order["ours"])
    projects = [Project(Path(each.pop("backend")), **each) for each in order["projects"]]
    environ = RecordingEnviron(os.environ)
    # Everybody looks it up anew: from here on, reads are recorded.
    os.environ = environ  # type: ignore[assignment] # noqa: B003
    # What a project prints goes where its errors go: standard output is our answer.
    with contextlib.redirect_stdout(sys.stderr):
        found = [Settings(project, environ).variables() for project in projects]
        last = projects[-1]
        set_up(last, environ)
        points = [asdict(point) for point in endpoints.of_project(last.owns)]
        # Not only settings read variables: a view may, or an app's configuration.
        elsewhere = [Variable(read.name, read.default) for read in environ.reads]
        found[-1] = merged([*found[-1], *elsewhere])
    variables = [[asdict(variable) for variable in each] for each in found]
    json.dump({"endpoints": points, "variables": variables}, sys.stdout)


def _leave(ours: str) -> None:
    """Make our own packages unknown, so that a project may have some of the same names."""
    sys.path[:] = [entry for entry in sys.path if entry != ours]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tools"]:
        del sys.modules[name]


def set_up(project: Project, environ: RecordingEnviron) -> None:
    """Set Django up for a project as `manage.py` does on a developer's machine."""
    environ.begin(project, Settings(project, environ).development())
    environ["DJANGO_SETTINGS_MODULE"] = project.settings
    import django
    from django.conf import settings

    # Nothing here asks a database. Should a project do so, it finds an empty one in memory,
    # and no file appears in its folder.
    settings.DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    }
    django.setup()


if __name__ == "__main__":
    main()
