"""The health check: Render requests it every few seconds."""

import logging

from django.db import Error, connection
from django.http import JsonResponse

from notifications.services import can_send

logger = logging.getLogger(__name__)


def health(request):
    """Called for /healthz/: 200, or 503 if the database does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        logger.exception("The database does not answer")
        return JsonResponse({"status": "unavailable"}, status=503)
    # Without Redis the REST API still works, and a restart would close every socket.
    return JsonResponse({"status": "ok" if can_send() else "degraded"})
