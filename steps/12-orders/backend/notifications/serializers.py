"""How notifications look over HTTP."""

from rest_framework import serializers

from notifications.models import Notification


class NotificationSerializer(serializers.ModelSerializer):
    """A notification, with the names that its frame on a socket has."""

    type = serializers.CharField(source="kind")

    class Meta:
        model = Notification
        fields = ["id", "type", "data", "created_at", "read_at"]


class UpToSerializer(serializers.Serializer):
    """The newest notification that a user has seen."""

    up_to = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
