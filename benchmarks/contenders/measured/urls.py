"""The URLs of a step, one that only sends, and one that writes without telling anybody."""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, resolve
from django.views.decorators.csrf import csrf_exempt
from notifications import events
from notifications.services import send_notification
from numeneon.urls import urlpatterns as urls_of_the_step

silent: ContextVar[bool] = ContextVar("silent", default=False)
publish = events.publish


def publish_unless_silent(**event: Any) -> None:
    """In place of the step's own."""
    if not silent.get():
        publish(**event)


events.publish = publish_unless_silent


@csrf_exempt
def event(request: HttpRequest) -> HttpResponse:
    """Send an event to so many users, and store nothing."""
    said: Mapping[str, Any] = json.loads(request.body)
    users = range(said["first"], said["first"] + said["count"])
    for _ in range(said.get("times", 1)):
        send_notification(user_ids=users, kind="mark", data={"mark": said["mark"]})
    return HttpResponse(status=204)


@csrf_exempt
def message_without_notification(request: HttpRequest) -> HttpResponse:
    """What POST /api/messages/ does, but for the notification."""
    token = silent.set(True)
    try:
        return resolve("/api/messages/", "numeneon.urls").func(request)
    finally:
        silent.reset(token)


urlpatterns = [
    path("measured/event/", event),
    path("measured/message/", message_without_notification),
    *urls_of_the_step,
]
