"""The addresses of the API, one prefix per app."""

from django.contrib import admin
from django.urls import include, path

from numeneon.health import health

urlpatterns = [
    path("healthz/", health),
    path("admin/", admin.site.urls),
    path("api/auth/", include("users.urls")),
    path("api/posts/", include("posts.urls")),
    path("api/friends/", include("friends.urls")),
    path("api/messages/", include("messaging.urls")),
]
