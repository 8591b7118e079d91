"""Where a project's settings and its ASGI application are, however it is laid out."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.harness.project import Project, find
from tests.small import write_tree

MANAGE = """\
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", {})
"""
PACKAGE = {
    "backend/numeneon/asgi.py": "",
    "backend/numeneon/settings/__init__.py": "",
    "backend/numeneon/settings/base.py": (
        "INSTALLED_APPS = [\n    'users',\n]\nASGI_APPLICATION = 'numeneon.asgi.application'\n"
    ),
    "backend/numeneon/settings/dev.py": "from .base import *\n\nDEBUG = True\n",
}


def project(root: Path, settings: str, files: dict[str, str]) -> Project:
    """The project with these files, whose manage.py says this of its settings."""
    write_tree(root, {"backend/manage.py": MANAGE.format(settings), **files})
    return find(root)


@pytest.mark.parametrize(
    "said",
    [
        "'numeneon.settings.dev'",
        "os.environ.get('SETTINGS', 'numeneon.settings.dev')",
        "f\"numeneon.settings.{os.getenv('STAGE', 'dev')}\"",
        "'numeneon.settings.' + (os.environ.get('STAGE') or 'dev')",
        "'numeneon.settings.prod' if os.environ.get('PROD') else 'numeneon.settings.dev'",
        "config('SETTINGS', default='numeneon.settings.dev')",
        "unknown",
    ],
)
def test_settings_module_is_what_manage_says(said: str, tmp_path: Path) -> None:
    """Whatever manage.py says while no variable is set; a guess where that is unknown."""
    assert project(tmp_path, said, PACKAGE).settings_module == "numeneon.settings.dev"


def test_settings_package_is_followed_to_where_a_setting_is(tmp_path: Path) -> None:
    """dev.py takes base.py over: what is assigned there is changed there."""
    found = project(tmp_path, "'numeneon.settings.dev'", PACKAGE)

    assert found.package == "numeneon"
    assert found.asgi == "numeneon.asgi:application"
    assert str(found.setting("INSTALLED_APPS")).startswith(
        "backend/numeneon/settings/base.py:1"
    )
    assert str(found.setting("DEBUG")).startswith("backend/numeneon/settings/dev.py:3")
    assert found.setting("CHANNEL_LAYERS").file == "backend/numeneon/settings/base.py"


@pytest.mark.parametrize(
    ("line", "takes_over"),
    [
        ("INSTALLED_APPS = ['daphne', *INSTALLED_APPS]", "from .base import *"),
        ("INSTALLED_APPS += ['daphne']", "from numeneon.settings.base import *"),
        ("INSTALLED_APPS.insert(0, 'daphne')", "from .base import INSTALLED_APPS"),
        ("INSTALLED_APPS.insert(0, 'daphne')", "include('base.py')"),
        ("if DEBUG:\n    INSTALLED_APPS = []", "from . import base\nfrom .base import *"),
    ],
)
def test_last_change_is_the_place(line: str, takes_over: str, tmp_path: Path) -> None:
    """What is changed in dev.py after base.py is taken over is found in dev.py."""
    dev = {"backend/numeneon/settings/dev.py": f"{takes_over}\n{line}\n"}
    found = project(tmp_path, "'numeneon.settings.dev'", PACKAGE | dev)

    assert found.setting("INSTALLED_APPS").file == "backend/numeneon/settings/dev.py"


@pytest.mark.parametrize(
    ("settings", "asgi"),
    [
        ("ASGI_APPLICATION = 'gate.way.app'", "gate.way:app"),
        ("ASGI_APPLICATION: str = 'gate.way.app'", "gate.way:app"),
        ("NAME = 'gate'\nASGI_APPLICATION = f'{NAME}.way.app'", "gate.way:app"),
        (
            "ASGI_APPLICATION = 'a.b'\nif True:\n    ASGI_APPLICATION = 'gate.way.app'",
            "gate.way:app",
        ),
        ("ASGI_APPLICATION = 1 / 0", "numeneon.asgi:application"),
        ("ASGI_APPLICATION = None", "numeneon.asgi:application"),
        ("", "numeneon.asgi:application"),
        ("def broken(:", "numeneon.asgi:application"),
        ("\ufeffASGI_APPLICATION = 'gate.way.app'", "gate.way:app"),
    ],
)
def test_asgi_is_what_the_settings_say(settings: str, asgi: str, tmp_path: Path) -> None:
    """The text in the source, or what the loaded settings hold, or the package's asgi.py."""
    files = {"backend/numeneon/asgi.py": "", "backend/numeneon/settings.py": settings}

    assert project(tmp_path, "'numeneon.settings'", files).asgi == asgi


@pytest.mark.parametrize(
    ("settings", "files", "asgi"),
    [
        ("config.settings.local", ["config/asgi.py"], "config.asgi:application"),
        ("settings", ["asgi.py", "settings.py"], "asgi:application"),
        ("settings.dev", ["site/asgi.py", "settings/dev.py"], "site.asgi:application"),
        ("a.b.settings", ["a/b/asgi.py", "a/asgi.py"], "a.b.asgi:application"),
        ("a.settings.dev", ["a/wsgi.py"], "a.asgi:application"),
    ],
)
def test_asgi_is_in_the_package_that_holds_it(
    settings: str, files: list[str], asgi: str, tmp_path: Path
) -> None:
    """Never in the package of the settings only because that is where they are."""
    tree = {f"backend/{name}": "" for name in files}

    assert project(tmp_path, repr(settings), tree).asgi == asgi


def test_place_of_two_branches_is_the_first(tmp_path: Path) -> None:
    """An `if` that chooses a value is one place, and what comes before it is another."""
    text = "X = 0\nif DEBUG:\n    X = 1\nelse:\n    X = 2\n"
    files = {"backend/numeneon/settings.py": text}
    found = project(tmp_path, "'numeneon.settings'", files)

    assert found.setting("X").line == 3


def test_reading_settings_leaves_no_trace(tmp_path: Path) -> None:
    """Asking a fresh process for a setting writes nothing into the project."""
    files = {"backend/numeneon/settings.py": "ASGI_APPLICATION = 'a.' + str('b')\n"}
    found = project(tmp_path, "'numeneon.settings'", files)

    assert found.asgi == "a:b"
    assert not list(tmp_path.rglob("__pycache__"))
