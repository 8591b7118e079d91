"""Projects that prove the items of step 1."""

from tests.variants import Edit, broken, correct

LIST = "requirements.txt"
CHANNELS = "channels==4.3.2  # WebSockets for Django\n"
DAPHNE = "daphne==4.2.3  # the server that speaks them; before 4.2.2: CVE-2026-44545 and -44546\n"
REDIS = "channels-redis==4.3.0  # carries events between processes\n"
_PYPROJECT = """\
[project]
name = "numeneon"
version = "1.0"
dependencies = ["Django~=5.2", "channels[daphne]>=4.2", "channels_redis>=4.2,<5"]
"""
# As `pip freeze > requirements.txt` in PowerShell writes it, but for the encoding.
_FROZEN = "Channels==4.3.2\r\nDaphne==4.2.3\r\nchannels_redis==4.3.0\r\n"
_HASHED = """\
--index-url https://pypi.org/simple
channels==4.3.2 ; python_version >= "3.9" \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
-r requirements/realtime.txt  # the rest
"""

_POETRY = """\
[tool.poetry]
name = "numeneon"

[tool.poetry.dependencies]
python = "^3.11"
django = "~5.2"
channels = {version = "^4.2", extras = ["daphne"]}

[tool.poetry.dependencies.channels-redis]
version = "^4.2"

[tool.poetry.group.dev.dependencies]
pytest = "*"
"""
_PIPFILE = """\
[packages]
channels = "~=4.2"
daphne = {version = ">=4.2.2", markers = "python_version >= '3.9'"}
channels-redis = "*"

[dev-packages]
pytest = "*"
"""
_UV = """\
[project]
name = "numeneon"
version = "1.0"
dependencies = ["django>=5.2"]

[project.optional-dependencies]
server = ["channels>=4.3", "daphne>=4.2.2"]

[dependency-groups]
production = ["channels-redis>=4.2"]
dev = ["pytest", {include-group = "production"}]

[tool.uv]
dev-dependencies = ["ruff"]
"""
_GROUPS = """\
[project]
name = "numeneon"
version = "1.0"
dependencies = ["django>=5.2", "daphne>=4.2.2", "channels-redis>=4.2"]

[dependency-groups]
dev = ["channels>=4.2"]
"""
_SETUP_CFG = """\
[options]
install_requires =
    channels>=4.2
    daphne>=4.2.2
    channels-redis>=4.2
"""
_DEVELOPERS = "-r requirements.txt\n" + CHANNELS

VARIANTS = [
    broken("install.channels", "not installed", python="without:channels"),
    broken("install.channels", "an old version", python="old:channels==3.0.5"),
    broken(
        "install.channels",
        "a file of the project hides the package",
        Edit("backend/channels.py", "", "ROOMS = []\n"),
    ),
    correct(
        "install.channels", "the oldest that is supported", python="old:channels==4.2.0"
    ),
    broken("install.daphne", "not installed", python="without:daphne"),
    broken("install.daphne", "a version with known holes", python="old:daphne==4.2.1"),
    broken("install.daphne", "a part of it is missing", python="without:autobahn"),
    correct("install.daphne", "the oldest that is supported", python="old:daphne==4.2.2"),
    broken("install.channels-redis", "not installed", python="without:channels-redis"),
    broken("install.channels-redis", "redis-py is missing", python="without:redis"),
    broken("install.channels-redis", "an old version", python="old:channels-redis==4.1.0"),
    correct(
        "install.channels-redis",
        "the oldest that is supported",
        python="old:channels-redis==4.2.0",
    ),
    broken("install.requirements", "a name is missing", Edit(LIST, CHANNELS, "")),
    broken(
        "install.requirements", "a line is a comment", Edit(LIST, DAPHNE, f"# {DAPHNE}")
    ),
    broken("install.requirements", "pinned too low", Edit(LIST, DAPHNE, "daphne==4.1.2\n")),
    broken(
        "install.requirements", "capped too low", Edit(LIST, REDIS, "channels-redis<4\n")
    ),
    broken(
        "install.requirements",
        "for another Python only",
        Edit(LIST, REDIS, 'channels-redis==4.3.0; python_version < "3"\n'),
    ),
    broken(
        "install.requirements", "pip cannot read it", Edit(LIST, CHANNELS, "channels 4.3\n")
    ),
    broken(
        "install.requirements",
        "includes a file that is not there",
        Edit(LIST, REDIS, "-r realtime.txt\n"),
    ),
    broken(
        "install.requirements",
        "held back by a constraint",
        Edit(LIST, DAPHNE, "daphne\n-c versions.txt\n"),
        Edit("versions.txt", "", "Django==5.2.19\ndaphne==4.1.2\n"),
    ),
    broken(
        "install.requirements",
        "held back by a constraint that comes first",
        Edit(LIST, DAPHNE, "-c versions.txt\ndaphne\n"),
        Edit("versions.txt", "", "Django==5.2.19\ndaphne==4.1.2\n"),
    ),
    correct(
        "install.requirements",
        "versions in a file of constraints",
        Edit(LIST, DAPHNE, "-c versions.txt\ndaphne\n"),
        Edit("versions.txt", "", "Django==5.2.19\ndaphne==4.2.3\n"),
    ),
    broken("install.requirements", "no list at all", Edit(LIST, None, None)),
    correct(
        "install.requirements",
        "ranges",
        Edit(LIST, CHANNELS, "channels ~= 4.2, != 4.2.1\n"),
    ),
    correct("install.requirements", "no version at all", Edit(LIST, DAPHNE, "daphne\n")),
    correct(
        "install.requirements", "Windows line ends", Edit(LIST, "", "\ufeff" + _FROZEN)
    ),
    correct(
        "install.requirements",
        "hashes and an included file",
        Edit(LIST, "", _HASHED),
        Edit("requirements/realtime.txt", "", "channels-redis>4.2\ndaphne>4.2.1,<5\n"),
    ),
    correct(
        "install.requirements",
        "beside manage.py",
        Edit(LIST, None, None),
        Edit("backend/requirements.txt", "", _FROZEN),
    ),
    broken(
        "install.requirements",
        "beside manage.py, while the first list has Django",
        Edit(LIST, f"{CHANNELS}{DAPHNE}{REDIS}", ""),
        Edit("backend/requirements.txt", "", _FROZEN),
    ),
    broken(
        "install.requirements",
        "beside manage.py, while the build installs the first list",
        Edit(LIST, f"{CHANNELS}{DAPHNE}{REDIS}", ""),
        Edit("backend/requirements.txt", "", _FROZEN),
        Edit("build.sh", "", "pip install -r requirements.txt\ncd backend\n"),
    ),
    broken(
        "install.requirements",
        "in a list that no other includes",
        Edit(LIST, f"{CHANNELS}{DAPHNE}{REDIS}", ""),
        Edit("requirements-realtime.txt", "", _FROZEN),
    ),
    correct(
        "install.requirements",
        "in a list that the first one includes",
        Edit(LIST, f"{CHANNELS}{DAPHNE}{REDIS}", "-r backend/requirements.txt\n"),
        Edit("backend/requirements.txt", "", _FROZEN),
    ),
    correct(
        "install.requirements",
        "beside manage.py, where Render builds",
        Edit(LIST, f"{CHANNELS}{DAPHNE}{REDIS}", ""),
        Edit("backend/requirements.txt", "", _FROZEN),
        Edit(
            "render.yaml",
            "",
            "services:\n  - type: web\n    rootDir: backend\n"
            "    buildCommand: pip install -r requirements.txt\n",
        ),
    ),
    correct(
        "install.requirements",
        "beside manage.py, where a script installs them",
        Edit(LIST, f"{CHANNELS}{DAPHNE}{REDIS}", ""),
        Edit("backend/requirements.txt", "", _FROZEN),
        Edit("build.sh", "", "cd backend\npip install -r requirements.txt\n"),
    ),
    correct(
        "install.requirements",
        "beside manage.py, and the first list is for tools",
        Edit(LIST, "", "pre-commit\nmkdocs\n"),
        Edit("backend/requirements.txt", "", _FROZEN),
    ),
    correct(
        "install.requirements",
        "in pyproject.toml",
        Edit(LIST, None, None),
        Edit("pyproject.toml", "", _PYPROJECT),
    ),
    broken(
        "install.requirements",
        "only for developers",
        Edit(LIST, CHANNELS, ""),
        Edit("requirements-dev.txt", "", _DEVELOPERS),
    ),
    broken(
        "install.requirements",
        "only in a folder's list for tests",
        Edit(LIST, None, None),
        Edit("requirements/base.txt", "", "Django\ndaphne\nchannels-redis\n"),
        Edit("requirements/test.txt", "", "-r base.txt\nchannels\n"),
    ),
    broken(
        "install.requirements",
        "only in a dependency group for developers",
        Edit(LIST, None, None),
        Edit("pyproject.toml", "", _GROUPS),
    ),
    broken(
        "install.requirements",
        "only in Poetry's group for developers",
        Edit(LIST, None, None),
        Edit(
            "pyproject.toml",
            "",
            _POETRY.replace("poetry.dependencies.c", "poetry.group.dev.dependencies.c"),
        ),
    ),
    broken(
        "install.requirements",
        "only in a Pipfile's packages for developers",
        Edit(LIST, None, None),
        Edit(
            "Pipfile",
            "",
            _PIPFILE.replace("[packages]", "[dev-packages]", 1).replace(
                "[dev-packages]\npytest", "[packages]\ndjango"
            ),
        ),
    ),
    broken(
        "install.requirements",
        "too old in Poetry's words",
        Edit(LIST, None, None),
        Edit("pyproject.toml", "", _POETRY.replace('"^4.2"', '"~4.1"', 1)),
    ),
    broken(
        "install.requirements",
        "a version that does not exist",
        Edit(LIST, "channels==4.3.2", "channels==4.3.22"),
    ),
    broken(
        "install.requirements",
        "a range in which there is no version",
        Edit(LIST, "daphne==4.2.3", "daphne>=4.9,<5"),
    ),
    broken(
        "install.requirements",
        "a name with a letter missing",
        Edit(LIST, "channels==4.3.2", "chanels==4.3.2"),
    ),
    correct(
        "install.requirements",
        "another release than the one installed",
        Edit(LIST, "channels==4.3.2", "channels==4.2.2"),
    ),
    correct(
        "install.requirements",
        "lists for developers and for production in a folder",
        Edit(LIST, None, None),
        Edit("requirements/base.txt", "", _FROZEN),
        Edit("requirements/dev.txt", "", "-r base.txt\nthis line is not pip's\n"),
        Edit("requirements/production.txt", "", "-r base.txt\ngunicorn\n"),
    ),
    correct(
        "install.requirements",
        "in Poetry's tables",
        Edit(LIST, None, None),
        Edit("pyproject.toml", "", _POETRY),
    ),
    correct(
        "install.requirements",
        "in a Pipfile",
        Edit(LIST, None, None),
        Edit("Pipfile", "", _PIPFILE),
    ),
    correct(
        "install.requirements",
        "in groups for uv",
        Edit(LIST, None, None),
        Edit("pyproject.toml", "", _UV),
    ),
    correct(
        "install.requirements",
        "in setup.cfg",
        Edit(LIST, None, None),
        Edit("setup.cfg", "", _SETUP_CFG),
    ),
    correct(
        "install.requirements",
        "in a file that pip-tools compiles",
        Edit(LIST, None, None),
        Edit("requirements.in", "", _FROZEN),
    ),
]
