"""Settings of Numeneon: development works as it is, the environment says the rest."""

import os
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import dj_database_url
from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

# Paths

BASE_DIR = Path(__file__).resolve().parent.parent

# Secrets

# Safe to default to on: with DEBUG on and no ALLOWED_HOSTS, Django answers localhost.
DEBUG = (os.environ.get("DEBUG") or "true").lower() in ("true", "1", "yes", "on")

if not os.environ.get("SECRET_KEY"):
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. With DEBUG off, set it in the environment to a"
            " long random text that stays the same from one start to the next."
        )
    # In the environment, so that runserver's reloader and its child share one key.
    os.environ["SECRET_KEY"] = get_random_secret_key()
SECRET_KEY = os.environ["SECRET_KEY"]
if not DEBUG and len(SECRET_KEY) < 32:
    raise ImproperlyConfigured(
        "SECRET_KEY is too short: give it at least 32 characters."
    )
if not DEBUG and (
    SECRET_KEY.startswith("django-insecure-") or len(set(SECRET_KEY)) < 10
):
    raise ImproperlyConfigured(
        "SECRET_KEY is not a secret: let a program choose it at random."
    )
if DEBUG and os.environ.get("RENDER"):
    raise ImproperlyConfigured(
        "DEBUG is on, and this is Render: error pages would show settings to everybody."
    )

ALLOWED_HOSTS = [
    host.strip()
    for host in os.environ.get("ALLOWED_HOSTS", "").split(",")
    if host.strip()
]
if os.environ.get("RENDER_EXTERNAL_HOSTNAME"):
    ALLOWED_HOSTS.append(os.environ["RENDER_EXTERNAL_HOSTNAME"])

# Other sites whose pages may use the API and open sockets, such as
# https://app.example: the scheme, the host and the port unless it is the default.
ALLOWED_ORIGINS = [
    origin.strip()
    for origin in os.environ.get("ALLOWED_ORIGINS", "").split(",")
    if origin.strip()
]

# Apps

INSTALLED_APPS = [
    # First, so that its runserver command replaces the one in staticfiles.
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "corsheaders",
    "django_prometheus",
    "drf_spectacular",
    # The files of Swagger UI: its page loads nothing from other sites.
    "drf_spectacular_sidecar",
    "channels",
    "users",
    "posts",
    "friends",
    "messaging",
    "orders",
    "notifications",
    "announcements",
    "client",
    "server",
]

ROOT_URLCONF = "numeneon.urls"
WSGI_APPLICATION = "numeneon.wsgi.application"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
TIME_ZONE = "UTC"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Middleware

MIDDLEWARE = [
    # First and last: one measures all of a request, the other one the view.
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    # Before everything that answers an API request, except the redirect to https.
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "numeneon.prometheus.PrometheusAfterMiddleware",
]

# Data

database_url = os.environ.get("DATABASE_URL")

if database_url:
    DATABASES = {"default": dj_database_url.parse(database_url)}
elif not DEBUG:
    raise ImproperlyConfigured(
        "DATABASE_URL is not set. With DEBUG off, set it to the URL of a"
        " PostgreSQL database: every deploy deletes a file next to the code."
    )
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": BASE_DIR / "db.sqlite3",
            # Two writers then wait for each other instead of failing with "locked".
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    }

# The same database, and every query is counted.
engine = DATABASES["default"]["ENGINE"]
DATABASES["default"]["ENGINE"] = engine.replace("django.db", "django_prometheus.db")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Auth

AUTH_USER_MODEL = "users.User"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# REST

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 20,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "DEFAULT_SCHEMA_CLASS": "numeneon.schema.Schema",
}

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
    # A new password makes all tokens worthless.
    "CHECK_REVOKE_TOKEN": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Numeneon",
    "VERSION": "1.0.0",
    "DESCRIPTION": "For the WebSocket, see [socket.json](/api/docs/socket.json).",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/",
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# CORS is for HTTP; numeneon/origins.py reads the same list for sockets.
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
CORS_ALLOW_HEADERS = [*default_headers, "last-event-id"]
CORS_URLS_REGEX = r"^/api/"

# Real-time

ASGI_APPLICATION = "numeneon.asgi.application"

# A client that missed more notifications than this requests the lists again.
RESUME_LIMIT = 2_000

# How often a socket says that it is open, and looks whether its user may stay. Seconds.
HEARTBEAT_SECONDS = 30

# How long somebody whose last socket has closed is still online: a page that is reloaded
# is back by then.
PRESENCE_GRACE_SECONDS = 5

# What a client may cost.
AUTH_SECONDS = 5  # until it has said who it is
MAX_FRAME_BYTES = 65_536
FRAMES_PER_MINUTE = 120
SOCKETS_PER_USER = 10
SEND_SECONDS = 10  # that one frame may wait until the client reads
MAX_UNCONFIRMED_BYTES = 1_048_576  # sent since the client's last frame

# WEBSOCKETS=off, or a server without the package channels: then everything is HTTP only.
WEBSOCKETS = bool(find_spec("channels")) and (
    os.environ.get("WEBSOCKETS", "").lower() not in ("off", "false", "no", "0")
)

# How often a stream of events looks into the database if nothing wakes it.
POLL_SECONDS = 2

redis_url = os.environ.get("REDIS_URL")

if WEBSOCKETS and not redis_url and not DEBUG:
    raise ImproperlyConfigured(
        "REDIS_URL is not set. With DEBUG off, set it to the URL of a Redis"
        " server: without one, events stay in the process that sends them."
    )

if redis_url:
    # A Redis that does not answer delays a request by two seconds at most.
    redis_timeouts = {"socket_connect_timeout": 1, "socket_timeout": 1}
    redis_host = {
        "address": redis_url,
        **redis_timeouts,
        # A connection that Redis has dropped fails when it is next used.
        "retry": AsyncRetry(NoBackoff(), retries=1),
    }
    CHANNEL_LAYERS = {
        "default": {
            # Not channels_redis.core: with redis-py 8 its idle connections time out.
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [redis_host]},
        }
    }
    # Tickets for sockets: one process issues a ticket, another one may redeem it.
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
            "OPTIONS": {**redis_timeouts, "retry": Retry(NoBackoff(), retries=1)},
        }
    }
else:
    # In the memory of one process, which is all that a developer runs.
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    # In the database, which all processes share.
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
            # A full table drops tickets that are still valid; the default is 300.
            "OPTIONS": {"MAX_ENTRIES": 10_000},
        }
    }

if not WEBSOCKETS:
    INSTALLED_APPS.remove("channels")
    CHANNEL_LAYERS = {}

# Operations

# DEBUG_TOOLBAR=1 python manage.py runserver
if DEBUG and os.environ.get("DEBUG_TOOLBAR"):
    INSTALLED_APPS.append("debug_toolbar")
    MIDDLEWARE.insert(0, "debug_toolbar.middleware.DebugToolbarMiddleware")
    INTERNAL_IPS = ["127.0.0.1"]
    DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": "numeneon.toolbar.show_toolbar"}

# The token with which Prometheus reads /metrics. Without one, only staff can read it.
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")

# text for people, json for programs that search logs
LOG_FORMAT = os.environ.get("LOG_FORMAT") or ("text" if DEBUG else "json")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "numeneon.formatters.TextFormatter"},
        "json": {"()": "numeneon.formatters.JsonFormatter"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # They have handlers of their own, which would write each line once more.
        "django": {"handlers": [], "level": "INFO"},
        "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},
        "uvicorn.access": {"handlers": [], "level": "WARNING"},  # as numeneon.logs
        "django.channels.server": {"level": "CRITICAL"},
        "daphne": {"level": "WARNING"},
    },
}

# Production

if not DEBUG:
    # Render terminates TLS in front of us, and sets this header on every request.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    # Render requests the health check over plain HTTP, from its own network.
    SECURE_REDIRECT_EXEMPT = [r"^healthz/$", r"^api/v1/health/$"]
    SECURE_HSTS_SECONDS = 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

    SILENCED_SYSTEM_CHECKS = [
        # Asks for 50 characters; Render generates 44 of them, out of 256 random bits.
        "security.W009",
        # Asks for HSTS preloading: the domain's owner has to decide that, for years.
        "security.W021",
    ]

    MIDDLEWARE.insert(2, "whitenoise.middleware.WhiteNoiseMiddleware")
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "numeneon.storage.ModuleStorage"},
    }
