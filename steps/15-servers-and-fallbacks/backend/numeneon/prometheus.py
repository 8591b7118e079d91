"""GET /metrics: for Prometheus, which has a token of its own, and for staff."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.crypto import constant_time_compare
from django_prometheus import middleware
from django_prometheus.exports import ExportToDjangoView
from rest_framework.permissions import IsAdminUser
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication


class PrometheusAuthentication(JWTAuthentication):
    """Takes METRICS_TOKEN in place of an access token: Prometheus has no account."""

    def authenticate(self, request):
        """Called for each request. Without METRICS_TOKEN, nobody is Prometheus."""
        offered = request.headers.get("Authorization", "")
        expected = f"Bearer {settings.METRICS_TOKEN}"
        if settings.METRICS_TOKEN and constant_time_compare(offered, expected):
            return get_user_model()(username="prometheus", is_staff=True), None
        return super().authenticate(request)


class MetricsView(APIView):
    """Show all metrics of the process that answers, as text for Prometheus."""

    authentication_classes = [PrometheusAuthentication]
    permission_classes = [IsAdminUser]
    schema = None  # not a part of the API that clients use

    def get(self, request):
        """Called for GET: 200, or 401 and 403 for everybody else."""
        return ExportToDjangoView(request)


class PrometheusAfterMiddleware(middleware.PrometheusAfterMiddleware):
    """Counts requests by their view and method, of which there are only a few."""

    def label_metric(self, metric, request, response=None, **labels):
        """Called for each number. The original keeps one for any method a client invents."""
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)
