"""Projects that prove the items of step 6."""

from tests.variants import Edit, broken, correct

PLAN = "render.yaml"
BUILD = "build.sh"
SETTINGS = "backend/numeneon/settings.py"
CONSUMER = "backend/notifications/consumers.py"

DEBUG = """\
      - key: DEBUG
        value: "false"
"""
SECRET = """\
      - key: SECRET_KEY
        generateValue: true
"""
DATABASE = """\
      - key: DATABASE_URL
        fromDatabase:
          name: numeneon-database
          property: connectionString
"""
REDIS = """\
      - key: REDIS_URL
        fromService:
          type: keyvalue
          name: numeneon-events
          property: connectionString
"""
ALLOW = "    ipAllowList: []  # reachable from inside Render only\n"
MIGRATE = "python manage.py migrate --no-input"
FREE = "    plan: free  # spins down without requests; starter costs money and stays up\n"
PRE_DEPLOY = "    preDeployCommand: python backend/manage.py migrate --no-input\n"
BUILD_COMMAND = "buildCommand: bash build.sh"
START = """\
      cd backend && python manage.py migrate --no-input
      && exec uvicorn numeneon.asgi:application
      --host 0.0.0.0 --port $PORT --lifespan off
      --timeout-graceful-shutdown 20
      --ws-max-size 65536 --ws-per-message-deflate false
"""
DAPHNE = f"      cd backend && {MIGRATE} && daphne -b 0.0.0.0 -p $PORT numeneon.asgi:application\n"
INSTALL = "python -m pip install -r requirements.txt\n"
COLLECT = "python backend/manage.py collectstatic --no-input\n"
DISK = "    disk: {name: files, mountPath: /var/data, sizeGB: 1}\n"
SHUTDOWN = "    plan: starter\n    maxShutdownDelaySeconds: 30\n"

KEY = 'SECRET_KEY = os.environ["SECRET_KEY"]\n'
NO_KEY = """\
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. With DEBUG off, set it in the environment to a"
            " long random text that stays the same from one start to the next."
        )
"""
HEALTH = "backend/numeneon/health.py"
DEGRADED = '    return JsonResponse({"status": "ok" if can_send() else "degraded"})\n'
NO_REDIS = """\
if not redis_url and not DEBUG:
    raise ImproperlyConfigured(
        "REDIS_URL is not set. With DEBUG off, set it to the URL of a Redis"
        " server: without one, events stay in the process that sends them."
    )
"""
NO_DATABASE = """\
elif not DEBUG:
    raise ImproperlyConfigured(
        "DATABASE_URL is not set. With DEBUG off, set it to the URL of a"
        " PostgreSQL database: every deploy deletes a file next to the code."
    )
"""
READ_DATABASE = 'database_url = os.environ.get("DATABASE_URL")\n'
PARSED = '    DATABASES = {"default": dj_database_url.parse(database_url)}\n'
IN_PARTS = """\
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": database_url,
            "PORT": os.environ["DATABASE_PORT"],
            "NAME": os.environ["DATABASE_NAME"],
            "USER": os.environ["DATABASE_USER"],
            "PASSWORD": os.environ["DATABASE_PASSWORD"],
        }
    }
"""
PARTS = "".join(
    f"""\
      - key: DATABASE_{name}
        fromDatabase:
          name: numeneon-database
          property: {part}
"""
    for name, part in (
        ("URL", "host"),
        ("PORT", "port"),
        ("NAME", "database"),
        ("USER", "user"),
        ("PASSWORD", "password"),
    )
)
BELIEVES = """\
      - key: FORWARDED_ALLOW_IPS
        value: "{}"
"""
HEADER = '    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")\n'
REDIRECT = "    SECURE_SSL_REDIRECT = True\n"
NO_PRELOAD = '        "security.W021",\n'
HSTS = "    SECURE_HSTS_SECONDS = 3600\n"
WHITENOISE = '    MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")\n'
STORAGE = """\
        "staticfiles": {
            "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        },
"""
PLAIN_STORAGE = STORAGE.replace(
    "whitenoise.storage.CompressedManifestStaticFilesStorage",
    "django.contrib.staticfiles.storage.StaticFilesStorage",
)
STATIC_ROOT = 'STATIC_ROOT = BASE_DIR / "staticfiles"\n'
RENDER_HOST = '    ALLOWED_HOSTS.append(os.environ["RENDER_EXTERNAL_HOSTNAME"])\n'
PUBSUB = '"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"'
CORE = '"BACKEND": "channels_redis.core.RedisChannelLayer"'
HOSTS = '"hosts": [redis_host]'
JOIN = """\
        await self.channel_layer.group_add(self.group, self.channel_name)
"""
GIVE_UP = """\
        if self.group in seen:
            later = asyncio.get_running_loop().call_later
            later(6, lambda: asyncio.ensure_future(self.close()))
        seen.add(self.group)
"""
DISCARD = """\
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)
"""

READ_DEBUG = (
    'DEBUG = (os.environ.get("DEBUG") or "true").lower() in ("true", "1", "yes", "on")\n'
)
SENDER = """\
DEFAULT_FROM_EMAIL = os.environ["DEFAULT_FROM_EMAIL"]
if "@" not in DEFAULT_FROM_EMAIL:
    raise ImproperlyConfigured("DEFAULT_FROM_EMAIL is not an email address")
"""
RENAMED_KEY = """\
# Secrets

if "SIGNATURE" in os.environ:
    os.environ["SECRET_KEY"] = os.environ["SIGNATURE"]
"""
DJANGO_KEY = """\
# Secrets

if os.environ.get("DEBUG") == "false":
    os.environ["SECRET_KEY"] = os.environ["DJANGO_KEY"]
"""
WARNED_KEY = """\
        print("SECRET_KEY is not set: one for this start only", flush=True)
        os.environ["SECRET_KEY"] = get_random_secret_key()
"""
# What gunicorn does: it listens before its worker has loaded anything, and starts another
# worker whenever one has ended.
MASTER = """\
import os
import signal
import socket
import subprocess
import sys

listener = socket.create_server(("0.0.0.0", int(os.environ["PORT"])))
listener.set_inheritable(True)
command = [sys.executable, "-m", "uvicorn", "numeneon.asgi:application", "--lifespan", "off"]
worker = None


def end(*_):
    if worker:
        worker.terminate()
        worker.wait()
    sys.exit(0)


signal.signal(signal.SIGTERM, end)
while True:
    worker = subprocess.Popen(
        [*command, "--fd", str(listener.fileno())], pass_fds=[listener.fileno()]
    )
    worker.wait()
"""
REQUIREMENTS = "requirements.txt"
WHITENOISE_PIN = "whitenoise==6.12.0  # serves the admin's static files\n"
UVICORN_PIN = (
    "uvicorn[standard]==0.54.0"
    "  # serves in production: closes sockets with 1012 when it stops\n"
)
IN_BACKEND = """\
set -o errexit
python -m pip install -r ../requirements.txt
python manage.py collectstatic --no-input
"""
PROJECT = """\
[project]
name = "numeneon"
version = "1"
requires-python = ">=3.11"
dependencies = [
    "django>=5.2",
    "djangorestframework",
    "djangorestframework-simplejwt",
    "dj-database-url",
    "psycopg[binary]",
    "channels",
    "daphne",
    "channels-redis",
    "uvicorn[standard]",
    "whitenoise",
]
"""
WITH_UV = (
    Edit(REQUIREMENTS, None, None),
    Edit(BUILD, None, None),
    Edit("pyproject.toml", "", PROJECT),
    Edit(
        PLAN,
        BUILD_COMMAND,
        "buildCommand: uv sync --frozen && uv run backend/manage.py collectstatic --no-input",
    ),
    Edit(PLAN, MIGRATE, f"uv run {MIGRATE}"),
    Edit(PLAN, "exec uvicorn", "exec uv run --no-dev uvicorn"),
)
# Twenty lists, each of them twice the one before: a million entries from a page of text.
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 21)
)

# The address taken apart: only where it leads, not what it takes to be let in.
_IN_PARTS = (
    Edit(
        SETTINGS,
        '"address": redis_url,\n',
        '"host": redis_parts.hostname,\n        "port": redis_parts.port,\n',
    ),
    Edit(
        SETTINGS,
        "if redis_url:\n",
        "if redis_url:\n    redis_parts = urlsplit(redis_url)\n",
    ),
    Edit(SETTINGS, "import os\n", "import os\nfrom urllib.parse import urlsplit\n"),
)

VARIANTS = [
    broken(
        "redis.url",
        "always in memory",
        Edit(SETTINGS, 'os.environ.get("REDIS_URL")', "None"),
    ),
    broken(
        "redis.url",
        "reads another variable",
        Edit(SETTINGS, 'os.environ.get("REDIS_URL")', 'os.environ.get("REDIS")'),
    ),
    broken(
        "redis.url",
        "takes an empty URL for one",
        Edit(SETTINGS, "if redis_url:", "if redis_url is not None:"),
    ),
    broken(
        "redis.url",
        "a Redis layer with a letter missing",
        Edit(SETTINGS, "RedisPubSubChannelLayer", "RedisPubSubChannelLayr"),
    ),
    broken(
        "redis.url",
        "hosts is one text",
        Edit(SETTINGS, HOSTS, '"hosts": redis_url'),
    ),
    broken(
        "redis.url",
        "hosts is one text, for the core layer",
        Edit(SETTINGS, PUBSUB, CORE),
        Edit(SETTINGS, HOSTS, '"hosts": redis_url'),
    ),
    broken(
        "redis.url",
        "hosts in capitals",
        Edit(SETTINGS, HOSTS, '"HOSTS": [redis_url]'),
    ),
    broken("redis.url", "no hosts", Edit(SETTINGS, HOSTS, '"prefix": "asgi"')),
    correct(
        "redis.url",
        "hosts is a tuple",
        Edit(SETTINGS, HOSTS, '"hosts": (redis_host,)'),
    ),
    broken(
        "redis.crosses",
        "an address of their own",
        Edit(SETTINGS, '"address": redis_url', '"address": "redis://127.0.0.1:9/0"'),
    ),
    broken(
        "redis.crosses",
        "each process has its own prefix",
        Edit(SETTINGS, HOSTS, f'"prefix": str(os.getpid()), {HOSTS}'),
    ),
    broken(
        "redis.crosses",
        "the password is lost",
        *_IN_PARTS,
    ),
    correct(
        "redis.crosses",
        "taken apart, with the password",
        *_IN_PARTS[1:],
        Edit(
            SETTINGS,
            '"address": redis_url,\n',
            '"host": redis_parts.hostname,\n        "port": redis_parts.port,\n'
            '        "password": redis_parts.password,\n',
        ),
    ),
    broken(
        "redis.crosses",
        "TLS options for every Redis",
        Edit(SETTINGS, '"socket_connect_timeout": 1', '"ssl_cert_reqs": None'),
    ),
    correct(
        "redis.crosses",
        "a plain URL and a prefix",
        Edit(SETTINGS, HOSTS, '"prefix": "numeneon", "hosts": [redis_url]'),
    ),
    broken(
        "redis.idle",
        "the core layer as it comes",
        Edit(SETTINGS, PUBSUB, CORE),
        Edit(SETTINGS, HOSTS, '"hosts": [redis_url]'),
    ),
    correct(
        "redis.idle",
        "the core layer with patience",
        Edit(SETTINGS, PUBSUB, CORE),
        Edit(SETTINGS, HOSTS, '"hosts": [{"address": redis_url, "socket_timeout": None}]'),
    ),
    broken("deploy.blueprint", "no file", Edit(PLAN, None, None)),
    broken("deploy.blueprint", "the old name of runtime", Edit(PLAN, "runtime:", "env:")),
    broken("deploy.blueprint", "who may reach the store", Edit(PLAN, ALLOW, "")),
    broken("deploy.blueprint", "a boolean", Edit(PLAN, DEBUG, DEBUG.replace('"', ""))),
    broken("deploy.blueprint", "a tab", Edit(PLAN, FREE, FREE.replace("    ", "\t", 1))),
    broken(
        "deploy.blueprint",
        "a misspelt key",
        Edit(PLAN, "    healthCheckPath:", "    healthCheckPaht:"),
    ),
    broken(
        "deploy.blueprint",
        "a pre-deploy command on the free plan",
        Edit(PLAN, FREE, f"{FREE}{PRE_DEPLOY}"),
    ),
    broken(
        "deploy.blueprint",
        "a key that is there twice",
        Edit(PLAN, FREE, FREE + FREE.replace("free", "starter", 1)),
    ),
    broken("deploy.blueprint", "anchors that double themselves", Edit(PLAN, "", LAUGHS)),
    broken("deploy.blueprint", "brackets without end", Edit(PLAN, "", "[" * 100_000)),
    broken(
        "deploy.blueprint",
        "a name that no environment takes",
        Edit(PLAN, "- key: DEBUG", '- key: "DEBUG=1"'),
    ),
    broken(
        "deploy.blueprint",
        "a value that no environment takes",
        Edit(PLAN, 'value: "false"', 'value: "fal\\0se"'),
    ),
    broken(
        "deploy.blueprint",
        "half a character",
        Edit(PLAN, 'value: "false"', 'value: "\\ud800"'),
    ),
    correct(
        "deploy.blueprint",
        "keys, plans and regions of tomorrow",
        Edit(PLAN, "plan: free  # expires", "plan: starter  # expires"),
        Edit(PLAN, FREE, "    plan: nano\n    shutdownStyle: calm\n"),
        Edit(PLAN, "runtime: python", "runtime: python\n    region: mumbai"),
        Edit(PLAN, ALLOW, f"{ALLOW}    region: mumbai\n"),
        Edit(PLAN, "    ipAllowList: []\n", "    ipAllowList: []\n    region: mumbai\n"),
    ),
    correct(
        "deploy.blueprint",
        "words that an older YAML takes for something else",
        Edit(PLAN, "runtime: python", "runtime: python\n    autoDeployTrigger: off"),
        Edit(PLAN, DEBUG, f"{DEBUG}      - key: SINCE\n        value: 2026-01-01\n"),
    ),
    broken(
        "deploy.blueprint",
        "more than Render waits",
        Edit(PLAN, FREE, SHUTDOWN.replace("30", "600")),
    ),
    broken(
        "deploy.blueprint",
        "a time for the shutdown on the free plan",
        Edit(PLAN, FREE, FREE + "    maxShutdownDelaySeconds: 30\n"),
    ),
    broken(
        "deploy.blueprint",
        "a time for the shutdown of a service with a disk",
        Edit(PLAN, FREE, SHUTDOWN + DISK),
    ),
    correct(
        "deploy.blueprint",
        "a disk",
        Edit(PLAN, FREE, "    plan: starter\n" + DISK),
    ),
    correct(
        "deploy.blueprint",
        "old names, a group and a region",
        Edit(PLAN, "- type: keyvalue\n", "- type: redis\n"),
        Edit(
            PLAN,
            "runtime: python\n",
            "runtime: python\n    autoDeployTrigger: checksPass\n",
        ),
        Edit(PLAN, DEBUG, "      - fromGroup: switches\n"),
        Edit(
            PLAN,
            "databases:\n",
            "envVarGroups:\n  - name: switches\n    envVars:\n"
            '      - key: DEBUG\n        value: "0"\n\ndatabases:\n',
        ),
    ),
    broken(
        "deploy.references",
        "a database of another name",
        Edit(
            PLAN,
            "name: numeneon-database\n          prop",
            "name: numeneon-db\n          prop",
        ),
    ),
    broken(
        "deploy.references",
        "a store of another name",
        Edit(
            PLAN,
            "name: numeneon-events\n          prop",
            "name: numeneon-redis\n          prop",
        ),
    ),
    broken("deploy.references", "no build script", Edit(BUILD, None, None)),
    broken(
        "deploy.references",
        "no folder",
        Edit(PLAN, "runtime:", "rootDir: back\n    runtime:"),
    ),
    broken(
        "deploy.references",
        "Windows line endings",
        Edit(BUILD, "", f"#!/usr/bin/env bash\r\n{INSTALL}"[:-1] + "\r\n"),
    ),
    broken(
        "deploy.references",
        "a group that is not there",
        Edit(PLAN, DEBUG, f"{DEBUG}      - fromGroup: switches\n"),
    ),
    broken(
        "deploy.references",
        "a folder outside",
        Edit(PLAN, "runtime:", "rootDir: ../..\n    runtime:"),
    ),
    broken("deploy.references", "a short version", Edit(PLAN, "3.13.9", '"3.13"')),
    broken(
        "deploy.references",
        "far apart",
        Edit(PLAN, "runtime: python", "runtime: python\n    region: frankfurt"),
    ),
    correct(
        "deploy.references",
        "a root folder and no script",
        Edit(PLAN, "runtime:", "rootDir: backend\n    runtime:"),
        Edit(
            PLAN,
            BUILD_COMMAND,
            "buildCommand: pip install -r ../requirements.txt && "
            "python manage.py collectstatic --no-input",
        ),
        Edit(PLAN, "cd backend && python", "python"),
        Edit(BUILD, None, None),
    ),
    correct(
        "deploy.references",
        "a script in the folder that the build enters, and one of somebody else",
        Edit(BUILD, None, None),
        Edit("backend/make.sh", "", IN_BACKEND),
        Edit(
            PLAN,
            BUILD_COMMAND,
            "buildCommand: (echo https://example.com/install.sh); cd backend && bash make.sh",
        ),
    ),
    broken("deploy.variables", "no secret", Edit(PLAN, SECRET, "")),
    broken("deploy.variables", "no Redis", Edit(PLAN, REDIS, "")),
    broken("deploy.variables", "no database", Edit(PLAN, DATABASE, "")),
    broken("deploy.variables", "DEBUG stays on", Edit(PLAN, DEBUG, "")),
    broken(
        "deploy.variables",
        "a variable that nobody provides",
        Edit(SETTINGS, KEY, f'{KEY}MAIL_HOST = os.environ["MAIL_HOST"]\n'),
    ),
    correct(
        "deploy.variables",
        "the database in parts",
        Edit(PLAN, DATABASE, PARTS),
        Edit(SETTINGS, PARSED, IN_PARTS),
    ),
    correct(
        "deploy.variables",
        "a variable entered by hand",
        Edit(SETTINGS, KEY, f'{KEY}MAIL_HOST = os.environ["MAIL_HOST"]\n'),
        Edit(PLAN, DEBUG, f"{DEBUG}      - key: MAIL_HOST\n        sync: false\n"),
    ),
    broken(
        "deploy.variables",
        "DEBUG is a literal",
        Edit(SETTINGS, READ_DEBUG, "DEBUG = True\n"),
    ),
    broken(
        "deploy.variables",
        "bool of a text",
        Edit(SETTINGS, READ_DEBUG, 'DEBUG = bool(os.environ.get("DEBUG", "true"))\n'),
    ),
    correct(
        "deploy.variables",
        "addresses and a sender entered by hand",
        Edit(PLAN, DATABASE, "      - key: DATABASE_URL\n        sync: false\n"),
        Edit(PLAN, REDIS, "      - key: REDIS_URL\n        sync: false\n"),
        Edit(PLAN, DEBUG, f"{DEBUG}      - key: DEFAULT_FROM_EMAIL\n        sync: false\n"),
        Edit(SETTINGS, KEY, f"{KEY}{SENDER}"),
    ),
    broken(
        "deploy.secrets",
        "the key in the blueprint",
        Edit(PLAN, SECRET, SECRET.replace("generateValue: true", f"value: {'k3y-' * 12}")),
    ),
    broken(
        "deploy.secrets",
        "the key under another name",
        Edit(
            PLAN,
            SECRET,
            SECRET.replace("generateValue: true", f"value: {'k3y-' * 12}").replace(
                "SECRET_KEY", "SIGNATURE"
            ),
        ),
        Edit(SETTINGS, "# Secrets\n", RENAMED_KEY),
    ),
    broken(
        "deploy.secrets",
        "an address with a password",
        Edit(
            PLAN,
            DEBUG,
            f"{DEBUG}      - key: SEARCH\n        value: https://me:open-sesame@example.com\n",
        ),
    ),
    correct(
        "deploy.secrets",
        "entered by hand, and values that only sound secret",
        Edit(PLAN, SECRET, SECRET.replace("generateValue: true", "sync: false")),
        Edit(PLAN, DEBUG, f'{DEBUG}      - key: TOKEN_HOURS\n        value: "12"\n'),
    ),
    broken("deploy.check", "no HSTS", Edit(SETTINGS, HSTS, "")),
    broken(
        "deploy.check",
        "a comma is missing in MIDDLEWARE",
        Edit(SETTINGS, 'CommonMiddleware",', 'CommonMiddleware"'),
    ),
    broken(
        "deploy.check",
        "a letter is missing in SecurityMiddleware",
        Edit(SETTINGS, "security.SecurityMiddleware", "security.SecurityMiddlewar"),
    ),
    correct(
        "deploy.check",
        "preloading",
        Edit(SETTINGS, NO_PRELOAD, ""),
        Edit(SETTINGS, HSTS, f"{HSTS}    SECURE_HSTS_PRELOAD = True\n"),
    ),
    broken(
        "deploy.needs-secret",
        "a key in the code",
        Edit(SETTINGS, NO_KEY, f'        os.environ["SECRET_KEY"] = "{"public" * 10}"\n'),
    ),
    broken(
        "deploy.needs-secret",
        "says nothing",
        Edit(SETTINGS, NO_KEY, "        raise SystemExit(1)\n"),
    ),
    correct(
        "deploy.needs-secret",
        "read without a default",
        Edit(SETTINGS, NO_KEY, '        os.environ["SECRET_KEY"]\n'),
    ),
    correct(
        "deploy.needs-secret",
        "another name",
        Edit(PLAN, SECRET, SECRET.replace("SECRET_KEY", "DJANGO_KEY")),
        Edit(SETTINGS, "# Secrets\n", DJANGO_KEY),
    ),
    correct(
        "deploy.needs-secret",
        "a supervisor starts its workers again and again",
        Edit("backend/master.py", "", MASTER),
        Edit(PLAN, START, f"      cd backend && {MIGRATE} && exec python master.py\n"),
    ),
    broken(
        "deploy.needs-secret",
        "a supervisor with a warning",
        Edit("backend/master.py", "", MASTER),
        Edit(PLAN, START, f"      cd backend && {MIGRATE} && exec python master.py\n"),
        Edit(SETTINGS, NO_KEY, WARNED_KEY),
    ),
    correct(
        "deploy.needs-secret",
        "two workers of uvicorn",
        Edit(PLAN, "--lifespan off", "--lifespan off --workers 2"),
    ),
    broken("deploy.needs-database", "a file instead", Edit(SETTINGS, NO_DATABASE, "")),
    correct(
        "deploy.needs-database",
        "read without a default",
        Edit(SETTINGS, NO_DATABASE, 'elif not DEBUG:\n    os.environ["DATABASE_URL"]\n'),
    ),
    broken(
        "deploy.needs-redis",
        "a warning and the layer in memory",
        Edit(
            SETTINGS,
            NO_REDIS,
            'if not redis_url and not DEBUG:\n    print("REDIS_URL is not set")\n',
        ),
    ),
    correct(
        "deploy.needs-redis",
        "read without a default",
        Edit(
            SETTINGS, NO_REDIS, 'if not DEBUG:\n    redis_url = os.environ["REDIS_URL"]\n'
        ),
    ),
    broken(
        "deploy.redis-down",
        "all or nothing",
        Edit(
            HEALTH,
            DEGRADED,
            DEGRADED.replace(
                '"degraded"})', '"degraded"}, status=200 if can_send() else 503)'
            ),
        ),
    ),
    correct(
        "deploy.redis-down",
        "Redis is nobody's business here",
        Edit(HEALTH, DEGRADED, '    return JsonResponse({"status": "ok"})\n'),
    ),
    broken(
        "deploy.build",
        "a file that is not there",
        Edit(BUILD, INSTALL, INSTALL.replace("ts", "t")),
    ),
    broken("deploy.build", "installs nothing", Edit(BUILD, INSTALL, "")),
    broken(
        "deploy.build",
        "installs and collects nothing",
        Edit(BUILD, INSTALL, ""),
        Edit(BUILD, COLLECT, "true\n"),
    ),
    broken(
        "deploy.build", "whitenoise is not required", Edit(REQUIREMENTS, WHITENOISE_PIN, "")
    ),
    correct("deploy.build", "what uv makes of pyproject.toml", *WITH_UV),
    correct(
        "deploy.build",
        "in a virtual environment of its own",
        Edit(
            BUILD,
            INSTALL,
            "python -m venv .venv\n. .venv/bin/activate\npip install -r requirements.txt\n",
        ),
    ),
    correct(
        "deploy.build",
        "another installer, other words",
        Edit(
            BUILD, INSTALL, "pip install --upgrade pip\nuv pip install -rrequirements.txt\n"
        ),
        Edit(
            BUILD, COLLECT, "cd backend\npython3 manage.py collectstatic --no-input -v 0\n"
        ),
    ),
    broken("deploy.migrates", "nobody migrates", Edit(PLAN, MIGRATE, "true")),
    broken(
        "deploy.migrates",
        "one app only",
        Edit(PLAN, MIGRATE, MIGRATE.replace("--no", "users --no")),
    ),
    broken(
        "deploy.migrates",
        "a wrong path",
        Edit(PLAN, MIGRATE, MIGRATE.replace("manage", "backend/manage")),
    ),
    correct(
        "deploy.migrates",
        "in the pre-deploy command of a paid plan",
        Edit(PLAN, FREE, f"    plan: starter\n{PRE_DEPLOY}"),
        Edit(PLAN, f"{MIGRATE}\n      && ", ""),
    ),
    correct(
        "deploy.migrates",
        "in the build",
        Edit(PLAN, MIGRATE, "true"),
        Edit(BUILD, COLLECT, f"{COLLECT}python backend/manage.py migrate\n"),
    ),
    broken("deploy.boots", "no port", Edit(PLAN, "$PORT", "$PROT")),
    broken("deploy.boots", "for itself only", Edit(PLAN, "0.0.0.0", "127.0.0.1")),
    broken("deploy.boots", "no such path", Edit(PLAN, "/healthz/", "/health/")),
    broken(
        "deploy.boots",
        "its own name is foreign",
        Edit(SETTINGS, RENDER_HOST, '    ALLOWED_HOSTS.append("numeneon.example")\n'),
    ),
    broken(
        "deploy.boots",
        "a letter is missing in MIDDLEWARE",
        Edit(SETTINGS, WHITENOISE, WHITENOISE.replace('ware")', 'war")')),
    ),
    broken(
        "deploy.boots",
        "no such module",
        Edit(PLAN, "numeneon.asgi:app", "numeneon.agsi:app"),
    ),
    broken(
        "deploy.boots",
        "the server is not required",
        Edit(REQUIREMENTS, UVICORN_PIN, ""),
    ),
    broken("deploy.boots", "a fixed port", Edit(PLAN, "$PORT", "18999")),
    correct("deploy.boots", "daphne", Edit(PLAN, START, DAPHNE)),
    correct(
        "deploy.boots",
        "it listens where Render tells gunicorn to",
        Edit(
            "backend/master.py",
            "",
            MASTER.replace(
                'os.environ["PORT"]',
                'os.environ["GUNICORN_CMD_ARGS"].rpartition(":")[2]',
            ),
        ),
        Edit(PLAN, START, f"      cd backend && {MIGRATE} && exec python master.py\n"),
    ),
    broken(
        "deploy.https",
        "redirects for ever",
        Edit(SETTINGS, HEADER, ""),
        Edit(PLAN, START, DAPHNE),
    ),
    broken(
        "deploy.https",
        "uvicorn may not read the headers",
        Edit(SETTINGS, HEADER, ""),
        Edit(PLAN, "--lifespan off", "--lifespan off --no-proxy-headers"),
    ),
    broken(
        "deploy.https",
        "the blueprint trusts another proxy",
        Edit(SETTINGS, HEADER, ""),
        Edit(PLAN, DEBUG, DEBUG + BELIEVES.format("198.51.100.1")),
    ),
    broken(
        "deploy.https",
        "http is as good",
        Edit(SETTINGS, REDIRECT, "    SECURE_SSL_REDIRECT = False\n"),
        Edit(SETTINGS, NO_PRELOAD, f'{NO_PRELOAD}        "security.W008",\n'),
    ),
    correct(
        "deploy.https",
        "uvicorn reads the headers",
        Edit(SETTINGS, HEADER, ""),
        alone=True,  # another variant starts daphne
    ),
    correct(
        "deploy.https",
        "daphne reads the headers",
        Edit(SETTINGS, HEADER, ""),
        Edit(PLAN, START, DAPHNE.replace("daphne", "daphne --proxy-headers")),
    ),
    broken("deploy.static", "nowhere to put the files", Edit(SETTINGS, STATIC_ROOT, "")),
    broken(
        "deploy.static",
        "a folder that depends on where a command runs",
        Edit(SETTINGS, STATIC_ROOT, 'STATIC_ROOT = "staticfiles"\n'),
    ),
    broken(
        "deploy.static",
        "a storage with a letter missing",
        Edit(SETTINGS, "CompressedManifestStaticFiles", "CompressedManifestStaticFile"),
    ),
    correct(
        "deploy.static",
        "served from where the apps have them",
        Edit(SETTINGS, STATIC_ROOT, "WHITENOISE_USE_FINDERS = True\n"),
        Edit(SETTINGS, STORAGE, PLAIN_STORAGE),
        Edit(BUILD, COLLECT, ""),
    ),
    broken("deploy.static", "nobody serves them", Edit(SETTINGS, WHITENOISE, "")),
    broken("deploy.static", "nobody collects them", Edit(BUILD, COLLECT, "")),
    correct(
        "deploy.static",
        "names without a digest",
        Edit(SETTINGS, STORAGE, PLAIN_STORAGE),
    ),
    broken(
        "deploy.crosses",
        "served as WSGI",
        Edit(
            PLAN,
            "exec uvicorn numeneon.asgi:application",
            "exec uvicorn --interface wsgi numeneon.wsgi:application",
        ),
    ),
    broken(
        "deploy.crosses",
        "a server without its WebSocket library",
        Edit(REQUIREMENTS, "uvicorn[standard]", "uvicorn"),
    ),
    correct(
        "deploy.crosses",
        "a plain URL and a prefix",
        Edit(SETTINGS, HOSTS, '"prefix": "numeneon", "hosts": [redis_url]'),
    ),
    broken(
        "deploy.idle",
        "the consumer closes a second window after six silent seconds",
        Edit(CONSUMER, JOIN, f"{JOIN}{GIVE_UP}"),
        Edit(
            CONSUMER,
            "from channels.generic.websocket",
            "import asyncio\n\nseen = set()\n\nfrom channels.generic.websocket",
        ),
    ),
    correct(
        "deploy.idle",
        "the core layer with patience",
        Edit(SETTINGS, PUBSUB, CORE),
        Edit(SETTINGS, HOSTS, '"hosts": [{"address": redis_url, "socket_timeout": None}]'),
    ),
    broken(
        "deploy.shutdown",
        "goodbye takes too long",
        Edit(PLAN, FREE, SHUTDOWN.replace("30", "3")),
        Edit(CONSUMER, DISCARD, f"        await asyncio.sleep(10)\n{DISCARD}"),
        Edit(
            CONSUMER,
            "from channels.generic.websocket",
            "import asyncio\n\nfrom channels.generic.websocket",
        ),
    ),
    correct(
        "deploy.shutdown",
        "a longer time than Render's own",
        Edit(PLAN, FREE, SHUTDOWN.replace("30", "45")),
        Edit(PLAN, "--timeout-graceful-shutdown 20", "--timeout-graceful-shutdown 5"),
    ),
    broken(
        "deploy.crosses",
        "a prefix of its own for each instance",
        Edit(
            SETTINGS,
            HOSTS,
            f'"prefix": os.environ.get("RENDER_INSTANCE_ID", "local"), {HOSTS}',
        ),
    ),
    broken(
        "deploy.static",
        "collected by the pre-deploy command",
        Edit(BUILD, "python backend/manage.py collectstatic --no-input\n", ""),
        Edit(
            PLAN,
            FREE,
            "    plan: starter\n"
            "    preDeployCommand: python backend/manage.py collectstatic --no-input\n",
        ),
    ),
    broken(
        "deploy.other-sites",
        "every service of Render",
        Edit(
            SETTINGS,
            'ALLOWED_HOSTS.append(os.environ["RENDER_EXTERNAL_HOSTNAME"])',
            'ALLOWED_HOSTS.append(".onrender.com")',
        ),
        Edit(
            SETTINGS,
            'CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]',
            'CSRF_TRUSTED_ORIGINS = ["https://*.onrender.com"]',
        ),
    ),
    correct(
        "deploy.other-sites",
        "the address instead of the name",
        Edit(
            SETTINGS,
            'ALLOWED_HOSTS.append(os.environ["RENDER_EXTERNAL_HOSTNAME"])',
            'ALLOWED_HOSTS.append(os.environ["RENDER_EXTERNAL_URL"].partition("//")[2])',
        ),
    ),
    broken(
        "deploy.quiet-log",
        "uvicorn logs the handshake",
        Edit(PLAN, "--lifespan off", "--lifespan off --log-level debug"),
    ),
    correct(
        "deploy.quiet-log",
        "a log level of its own",
        Edit(PLAN, "--lifespan off", "--lifespan off --log-level info"),
    ),
]
