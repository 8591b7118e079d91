"""When django-debug-toolbar shows itself."""

from django.conf import settings


def show_toolbar(request):
    """Called by the toolbar for each request: whether to watch it."""
    # request.is_ajax(), which older code calls here, was removed in Django 4.0.
    by_script = request.headers.get("X-Requested-With") == "XMLHttpRequest"
    return request.META.get("REMOTE_ADDR") in settings.INTERNAL_IPS and not by_script
