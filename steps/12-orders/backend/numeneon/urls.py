"""The URLs: the API with one prefix per app, and a demo page for browsers."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

from notifications.views import TicketView
from numeneon.health import health

# A version is a promise: fields and addresses may be added, never renamed or removed.
v1 = [
    path("ws/ticket/", TicketView.as_view()),
    path("", include("orders.urls")),
]

urlpatterns = [
    path("healthz/", health),
    path("admin/", admin.site.urls),
    path("api/auth/", include("users.urls")),
    path("api/posts/", include("posts.urls")),
    path("api/friends/", include("friends.urls")),
    path("api/messages/", include("messaging.urls")),
    path("api/notifications/", include("notifications.urls")),
    path("api/v1/", include(v1)),
    path("demo/", TemplateView.as_view(template_name="messaging/demo.html")),
    path("app/", TemplateView.as_view(template_name="client/app.html")),
]
