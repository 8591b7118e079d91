"""The address /: it leads a browser to the client, and a program to the API."""

from django.http import JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

ADDRESSES = {
    "health": "/api/v1/health/",
    "docs": "/api/docs/",
    "schema": "/api/schema/",
    "socket": "/api/docs/socket.json",
}


@require_safe
# Two answers at one address: without this, a cache could give a browser the program's.
@vary_on_headers("Accept")
def root(request):
    """Called for /: 200 with addresses of the API, or 302 to /app/ for a browser."""
    preferred = request.get_preferred_type(["application/json", "text/html"])
    if preferred == "text/html":
        return redirect("/app/")
    urls = {name: request.build_absolute_uri(at) for name, at in ADDRESSES.items()}
    return JsonResponse(urls)
