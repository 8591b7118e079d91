"""The health check: which parts of the server work, and how fast they answer."""

import asyncio
import logging
import time

from asgiref.sync import async_to_sync
from django.db import Error
from drf_spectacular.utils import extend_schema
from redis.exceptions import RedisError
from rest_framework.response import Response
from rest_framework.views import APIView

from numeneon.parts import PARTS, HttpOnly
from numeneon.serializers import HealthSerializer
from numeneon.stopping import leaving

logger = logging.getLogger(__name__)

PART_SECONDS = 2


async def check(name):
    """Return whether a part answers in time, and after how many milliseconds."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PART_SECONDS):
            await PARTS[name]()
        state = "ok"
    except (Error, OSError, RedisError) as error:
        # A TimeoutError is an OSError.
        logger.warning("The part %s does not answer: %r", name, error)
        state = "unavailable"
    except HttpOnly:
        state = "unavailable"  # asgi.py has said so when the server started
    return {"status": state, "ms": round(1000 * (time.perf_counter() - began), 1)}


async def check_all():
    """Return the state of every part; all are checked at the same time."""
    states = await asyncio.gather(*map(check, PARTS))
    return dict(zip(PARTS, states, strict=True))


class HealthView(APIView):
    """Say which parts of the server work."""

    # Nothing that needs the database: it may be what does not work.
    authentication_classes = []
    permission_classes = []

    @extend_schema(responses={200: HealthSerializer, 503: HealthSerializer})
    def get(self, request):
        """Called for GET: 200, or 503 without the database or during a shutdown."""
        parts = async_to_sync(check_all)()
        works = {name: part["status"] == "ok" for name, part in parts.items()}
        # Without Redis the API still works, and a restart would close every socket.
        ready = works["database"] and not leaving.is_set()
        state = "ok" if all(works.values()) else "degraded" if ready else "unavailable"
        if leaving.is_set():
            state = "draining"
        answer = {"status": state, "live": True, "ready": ready, "parts": parts}
        return Response(answer, status=200 if ready else 503)
