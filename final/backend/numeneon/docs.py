"""The API's documentation: a page for people, and the socket's description for programs."""

from django.http import JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

from notifications.asyncapi import document

# The browser loads nothing from other sites, and runs no script that is in the page itself:
# with SpectacularSwaggerSplitView, the script that starts Swagger UI has its own address.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " frame-ancestors 'none'"
)


class DocsView(SpectacularSwaggerSplitView):
    """Show the API to people, in Swagger UI."""

    def finalize_response(self, *args, **kwargs):
        """Called by the view with its answer."""
        response = super().finalize_response(*args, **kwargs)
        response["Content-Security-Policy"] = POLICY
        return response


@require_safe
def socket_document(request):
    """Called for /api/docs/socket.json: 200 with all frames, as an AsyncAPI document."""
    return JsonResponse(document(request.get_host(), secure=request.is_secure()))
