"""The settings of a step, with what the comparison needs."""

import os

from numeneon.settings import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "measured.urls"
# Who waits for its turn is quiet. What heartbeats cost is measured by soak.py.
HEARTBEAT_SECONDS = float(os.environ.get("MEASURED_HEARTBEAT") or 3600)
if os.environ.get("MEASURED_DRAIN"):
    DRAIN_SECONDS = float(os.environ["MEASURED_DRAIN"])
if os.environ.get("MEASURED_CORE_LAYER"):
    # As most examples have it, but for the timeout: with that of redis-py 8, a listener that
    # hears nothing for five seconds ends, and its socket with it.
    host = {"address": os.environ["MEASURED_CORE_LAYER"], "socket_timeout": None}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [host]},
        }
    }
