"""How the answer of the health check looks."""

from rest_framework import serializers


class PartSerializer(serializers.Serializer):
    """One part of the server."""

    status = serializers.CharField(help_text="`ok` or `unavailable`")
    ms = serializers.FloatField(help_text="How long the answer took, in milliseconds.")


class HealthSerializer(serializers.Serializer):
    """The state of the server."""

    status = serializers.CharField(
        help_text="`ok`, `degraded`, `unavailable` or `draining`"
    )
    live = serializers.BooleanField(help_text="The process answers.")
    ready = serializers.BooleanField(help_text="It can take requests.")
    parts = serializers.DictField(child=PartSerializer())
