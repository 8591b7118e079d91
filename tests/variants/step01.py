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
    correct(
        "install.requirements",
        "in pyproject.toml",
        Edit(LIST, None, None),
        Edit("pyproject.toml", "", _PYPROJECT),
    ),
]
