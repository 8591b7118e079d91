"""Projects that prove the items of step 2."""

from textwrap import indent

from tests.variants import Edit, broken, correct, settings_in_a_package

SETTINGS = "backend/numeneon/settings.py"
PACKAGE = "backend/numeneon/settings"
ASGI = "backend/numeneon/asgi.py"
DAPHNE = """\
    # First, so that its runserver command replaces the one in staticfiles.
    "daphne",
"""
CHANNELS = '    "channels",\n'
STATIC = '    "django.contrib.staticfiles",\n'
APPLICATION = 'ASGI_APPLICATION = "numeneon.asgi.application"\n'
MEMORY = (
    'CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}\n'
)
REDIS = """\
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
    }
}
"""
REDIS_ALWAYS = REDIS.replace('os.environ["REDIS_URL"]', '"redis://127.0.0.1:9"')
_OWN_RUNSERVER = """\
from django.core.management.commands.runserver import Command

__all__ = ["Command"]
"""
_OWN_ASGI = """\
from django.core.asgi import get_asgi_application

_django = get_asgi_application()


async def application(scope, receive, send):
    await _django(scope, receive, send)
"""
_FAILING_ASGI = """\
async def application(scope, receive, send):
    raise RuntimeError("not finished")
"""
# A layer in memory that keeps direct messages and loses those to groups.
_LOSSY = """\
from channels.layers import InMemoryChannelLayer


class Layer(InMemoryChannelLayer):
    async def group_send(self, group, message):
        pass
"""
_OWN_MEMORY = """\
from channels.layers import InMemoryChannelLayer


class Layer(InMemoryChannelLayer):
    pass
"""
_OTHER = 'CHANNEL_LAYERS = {"default": {"BACKEND": "numeneon.layer.Layer"}}\n'
VARIANTS = [
    broken(
        "settings.load",
        "names an app of a later step",
        Edit(SETTINGS, CHANNELS, f'{CHANNELS}    "notifications",\n'),
    ),
    broken(
        "settings.load",
        "a comma is missing",
        Edit(SETTINGS, CHANNELS, '    "channels"\n    +\n'),
    ),
    broken(
        "settings.load",
        "imports what is not there",
        Edit(SETTINGS, "import os\n", "import os\nimport environs_of_mars\n"),
    ),
    correct(
        "settings.load",
        "the apps are put together from parts",
        Edit(SETTINGS, CHANNELS, ""),
        Edit(
            SETTINGS, "ROOT_URLCONF = ", 'INSTALLED_APPS += ["channels"]\n\nROOT_URLCONF = '
        ),
    ),
    broken("settings.daphne-first", "not installed", Edit(SETTINGS, DAPHNE, "")),
    broken(
        "settings.daphne-first",
        "after staticfiles",
        Edit(SETTINGS, DAPHNE, ""),
        Edit(SETTINGS, STATIC, f'{STATIC}    "daphne",\n'),
    ),
    correct(
        "settings.daphne-first",
        "right before staticfiles, by its class",
        Edit(SETTINGS, DAPHNE, ""),
        Edit(SETTINGS, STATIC, f'    "daphne.apps.DaphneConfig",\n{STATIC}'),
    ),
    correct(
        "settings.runserver", "channels is no installed app", Edit(SETTINGS, CHANNELS, "")
    ),
    correct("settings.runserver", "settings in a package", *settings_in_a_package(2)),
    broken(
        "settings.load",
        "a comma is missing between two apps",
        Edit(SETTINGS, '    "friends",\n', '    "friends"\n'),
    ),
    broken(
        "settings.daphne-first",
        "taken out again in dev.py",
        *settings_in_a_package(2),
        Edit(f"{PACKAGE}/dev.py", "", "from .base import *\n\nINSTALLED_APPS.pop(0)\n"),
    ),
    broken(
        "settings.asgi-application",
        "not set in a package",
        *settings_in_a_package(2),
        Edit(f"{PACKAGE}/base.py", APPLICATION, ""),
    ),
    correct(
        "settings.asgi-application",
        "put together from parts",
        Edit(
            SETTINGS,
            APPLICATION,
            'ASGI_APPLICATION = ROOT_URLCONF.replace("urls", "asgi.application")\n',
        ),
    ),
    broken("settings.asgi-application", "not set", Edit(SETTINGS, APPLICATION, "")),
    broken(
        "settings.asgi-application",
        "a module that is not there",
        Edit(SETTINGS, "numeneon.asgi.application", "numeneon.agsi.application"),
    ),
    broken(
        "settings.asgi-application",
        "the module without its attribute",
        Edit(SETTINGS, "numeneon.asgi.application", "numeneon.asgi"),
    ),
    correct(
        "settings.asgi-application",
        "a function in a module of another name",
        Edit(SETTINGS, "numeneon.asgi.application", "numeneon.gate.application"),
        Edit("backend/numeneon/gate.py", "", _OWN_ASGI),
        Edit(ASGI, None, None),
    ),
    broken(
        "settings.runserver",
        "an app brings another runserver",
        Edit("backend/users/management/commands/runserver.py", "", _OWN_RUNSERVER),
        Edit(SETTINGS, DAPHNE, '    "users",\n    "daphne",\n'),
        Edit(SETTINGS, '    "users",\n    "posts",\n', '    "posts",\n'),
    ),
    broken("settings.runserver", "no request is answered", Edit(ASGI, "", _FAILING_ASGI)),
    broken(
        "settings.runserver",
        "names the WSGI application",
        Edit(SETTINGS, "numeneon.asgi.application", "numeneon.wsgi.application"),
    ),
    correct("settings.runserver", "an application function", Edit(ASGI, "", _OWN_ASGI)),
    broken("settings.layer", "no layer", Edit(SETTINGS, MEMORY, "")),
    broken(
        "settings.layer",
        "a class that is not there",
        Edit(
            SETTINGS, "channels.layers.InMemoryChannelLayer", "channels.layers.MemoryLayer"
        ),
    ),
    broken(
        "settings.layer",
        "groups hear nothing",
        Edit(SETTINGS, MEMORY, _OTHER),
        Edit("backend/numeneon/layer.py", "", _LOSSY),
    ),
    broken(
        "settings.layer",
        "Redis even without a REDIS_URL",
        Edit(SETTINGS, MEMORY, REDIS_ALWAYS),
    ),
    correct(
        "settings.layer",
        "a layer of their own",
        Edit(SETTINGS, MEMORY, _OTHER),
        Edit("backend/numeneon/layer.py", "", _OWN_MEMORY),
    ),
    correct(
        "settings.layer",
        "Redis where there is a REDIS_URL",
        Edit(
            SETTINGS,
            MEMORY,
            f'if os.environ.get("REDIS_URL"):\n{indent(REDIS, "    ")}else:\n    {MEMORY}',
        ),
    ),
    correct(
        "settings.layer",
        "two layers, one chosen",
        Edit(
            SETTINGS,
            MEMORY,
            f"{MEMORY}\n"
            'CHANNEL_LAYERS["spare"] = {"BACKEND": "channels.layers.InMemoryChannelLayer"}\n',
        ),
    ),
]
