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
MIGRATE = "    preDeployCommand: python backend/manage.py migrate --no-input\n"
BUILD_COMMAND = "buildCommand: bash build.sh"
START = """\
      cd backend && exec uvicorn numeneon.asgi:application
      --host 0.0.0.0 --port $PORT --lifespan off
      --timeout-graceful-shutdown 20
      --ws-max-size 65536 --ws-per-message-deflate false
"""
DAPHNE = "      cd backend && daphne -b 0.0.0.0 -p $PORT numeneon.asgi:application\n"
INSTALL = "python -m pip install -r requirements.txt\n"
COLLECT = "python backend/manage.py collectstatic --no-input\n"
SHUTDOWN = "    maxShutdownDelaySeconds: 30\n"

KEY = 'SECRET_KEY = os.environ["SECRET_KEY"]\n'
NO_KEY = """\
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. With DEBUG off, set it in the environment to a"
            " long random text that stays the same from one start to the next."
        )
"""
NO_DATABASE = """\
elif not DEBUG:
    raise ImproperlyConfigured(
        "DATABASE_URL is not set. With DEBUG off, set it to the address of a"
        " PostgreSQL: a file beside the code is lost with every deploy."
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
HEADER = '    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")\n'
REDIRECT = "    SECURE_SSL_REDIRECT = True\n"
NO_PRELOAD = '        "security.W021",\n'
HSTS = "    SECURE_HSTS_SECONDS = 3600\n"
WHITENOISE = '    MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")\n'
STORAGE = '    STORAGES = {"staticfiles": {"BACKEND": manifest}}\n'
RENDER_HOST = '    ALLOWED_HOSTS.append(os.environ["RENDER_EXTERNAL_HOSTNAME"])\n'
PUBSUB = '"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"'
CORE = '"BACKEND": "channels_redis.core.RedisChannelLayer"'
HOSTS = '"hosts": [redis_host]'
DISCARD = """\
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)
"""

VARIANTS = [
    broken("deploy.blueprint", "no file", Edit(PLAN, None, None)),
    broken("deploy.blueprint", "the old name of runtime", Edit(PLAN, "runtime:", "env:")),
    broken("deploy.blueprint", "who may reach the store", Edit(PLAN, ALLOW, "")),
    broken("deploy.blueprint", "a boolean", Edit(PLAN, DEBUG, DEBUG.replace('"', ""))),
    broken(
        "deploy.blueprint", "a tab", Edit(PLAN, SHUTDOWN, "\tmaxShutdownDelaySeconds: 30\n")
    ),
    broken(
        "deploy.blueprint",
        "no plan of a database",
        Edit(PLAN, "plan: free  # Render deletes", "plan: starter  # Render deletes"),
    ),
    broken(
        "deploy.blueprint",
        "more than Render waits",
        Edit(PLAN, SHUTDOWN, SHUTDOWN.replace("30", "600")),
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
        Edit(PLAN, MIGRATE, "    preDeployCommand: python manage.py migrate --no-input\n"),
        Edit(PLAN, "cd backend && exec uvicorn", "uvicorn"),
        Edit(BUILD, None, None),
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
    broken("deploy.check", "no HSTS", Edit(SETTINGS, HSTS, "")),
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
    broken("deploy.needs-database", "a file instead", Edit(SETTINGS, NO_DATABASE, "")),
    correct(
        "deploy.needs-database",
        "read without a default",
        Edit(SETTINGS, NO_DATABASE, 'elif not DEBUG:\n    os.environ["DATABASE_URL"]\n'),
    ),
    broken(
        "deploy.build",
        "a file that is not there",
        Edit(BUILD, INSTALL, INSTALL.replace("ts", "t")),
    ),
    broken("deploy.build", "installs nothing", Edit(BUILD, INSTALL, "")),
    broken(
        "deploy.build",
        "nowhere to put the files",
        Edit(SETTINGS, 'STATIC_ROOT = BASE_DIR / "staticfiles"\n', ""),
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
    broken("deploy.migrates", "nobody migrates", Edit(PLAN, MIGRATE, "")),
    broken(
        "deploy.migrates",
        "one app only",
        Edit(PLAN, MIGRATE, MIGRATE.replace("--no", "users --no")),
    ),
    broken(
        "deploy.migrates",
        "a wrong path",
        Edit(PLAN, MIGRATE, MIGRATE.replace("backend/", "")),
    ),
    correct(
        "deploy.migrates",
        "when it starts",
        Edit(PLAN, MIGRATE, ""),
        Edit(PLAN, "cd backend && exec", "cd backend && python manage.py migrate && exec"),
    ),
    correct(
        "deploy.migrates",
        "in the build",
        Edit(PLAN, MIGRATE, ""),
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
        "no such module",
        Edit(PLAN, "numeneon.asgi:app", "numeneon.agsi:app"),
    ),
    correct("deploy.boots", "daphne", Edit(PLAN, START, DAPHNE)),
    broken("deploy.https", "redirects for ever", Edit(SETTINGS, HEADER, "")),
    broken(
        "deploy.https",
        "http is as good",
        Edit(SETTINGS, REDIRECT, "    SECURE_SSL_REDIRECT = False\n"),
        Edit(SETTINGS, NO_PRELOAD, f'{NO_PRELOAD}        "security.W008",\n'),
    ),
    correct(
        "deploy.https",
        "the server reads the headers",
        Edit(SETTINGS, HEADER, ""),
        Edit(PLAN, "--lifespan off", "--lifespan off --forwarded-allow-ips '*'"),
    ),
    broken("deploy.static", "nobody serves them", Edit(SETTINGS, WHITENOISE, "")),
    broken("deploy.static", "nobody collects them", Edit(BUILD, COLLECT, "")),
    correct("deploy.static", "names without a digest", Edit(SETTINGS, STORAGE, "")),
    broken(
        "deploy.crosses",
        "each process has its own prefix",
        Edit(SETTINGS, HOSTS, f'"prefix": str(os.getpid()), {HOSTS}'),
    ),
    broken(
        "deploy.crosses",
        "in memory",
        Edit(SETTINGS, PUBSUB, '"BACKEND": "channels.layers.InMemoryChannelLayer"'),
        Edit(SETTINGS, f'"CONFIG": {{{HOSTS}}}', '"CONFIG": {}'),
    ),
    correct(
        "deploy.crosses",
        "a plain URL and a prefix",
        Edit(SETTINGS, HOSTS, '"prefix": "numeneon", "hosts": [redis_url]'),
    ),
    broken(
        "deploy.idle",
        "the core layer as it comes",
        Edit(SETTINGS, PUBSUB, CORE),
        Edit(SETTINGS, HOSTS, '"hosts": [redis_url]'),
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
        Edit(PLAN, SHUTDOWN, SHUTDOWN.replace("30", "3")),
        Edit(CONSUMER, DISCARD, f"        await asyncio.sleep(10)\n{DISCARD}"),
        Edit(
            CONSUMER,
            "from channels.generic.websocket",
            "import asyncio\n\nfrom channels.generic.websocket",
        ),
    ),
    correct(
        "deploy.shutdown",
        "Render's own time-out",
        Edit(PLAN, SHUTDOWN, ""),
        Edit(PLAN, "--timeout-graceful-shutdown 20", "--timeout-graceful-shutdown 5"),
    ),
]
