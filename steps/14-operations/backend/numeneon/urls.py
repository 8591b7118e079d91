"""The URLs: the API with one prefix per app, and pages for browsers."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView

from notifications.views import ConnectionListView, PresenceView, TicketView
from numeneon.docs import DocsView, socket_document
from numeneon.health import HealthView
from numeneon.prometheus import MetricsView
from numeneon.root import root

# A version is a promise: fields and addresses may be added, never renamed or removed.
v1 = [
    path("ws/ticket/", TicketView.as_view()),
    path("", include("orders.urls")),
    # The same as below: clients that know the old address keep working.
    path("notifications/", include("notifications.urls")),
    path("announcements/", include("announcements.urls")),
    path("presence/", PresenceView.as_view()),
    path("connections/", ConnectionListView.as_view()),
    path("health/", HealthView.as_view()),
]

urlpatterns = [
    path("", root),
    # The address of earlier steps, which the document leaves out.
    path("healthz/", HealthView.as_view(schema=None)),
    path("admin/", admin.site.urls),
    path("api/auth/", include("users.urls")),
    path("api/posts/", include("posts.urls")),
    path("api/friends/", include("friends.urls")),
    path("api/messages/", include("messaging.urls")),
    path("api/notifications/", include("notifications.urls")),
    path("api/v1/", include(v1)),
    path("metrics", MetricsView.as_view()),
    path("api/schema/", SpectacularAPIView.as_view(schema=None), name="schema"),
    path("api/docs/", DocsView.as_view()),
    path("api/docs/socket.json", socket_document),
    path("demo/", TemplateView.as_view(template_name="messaging/demo.html")),
    path("app/", TemplateView.as_view(template_name="client/app.html")),
    path("dashboard/", TemplateView.as_view(template_name="client/dashboard.html")),
]

if apps.is_installed("debug_toolbar"):
    urlpatterns.append(path("__debug__/", include("debug_toolbar.urls")))
