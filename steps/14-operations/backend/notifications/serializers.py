"""How notifications look over HTTP."""

from rest_framework import serializers

from notifications.models import Connection, Notification


class NotificationSerializer(serializers.ModelSerializer):
    """A notification, with the names that its frame on a socket has."""

    type = serializers.CharField(source="kind")

    class Meta:
        model = Notification
        fields = ["id", "type", "data", "created_at", "read_at"]


class ConnectionSerializer(serializers.ModelSerializer):
    """An open socket: whose it is, and when its server last said that it is open."""

    user = serializers.SerializerMethodField()

    class Meta:
        model = Connection
        fields = ["id", "user", "opened_at", "seen_at"]

    def get_user(self, connection) -> dict:
        """Return the user, as briefly as an event does."""
        return {"id": connection.user.pk, "username": connection.user.username}


class UnreadSerializer(serializers.Serializer):
    """How many notifications a user has not read."""

    unread = serializers.IntegerField()


class OnlineSerializer(serializers.Serializer):
    """The ids of those friends who are online."""

    online = serializers.ListField(child=serializers.IntegerField())


class TicketSerializer(serializers.Serializer):
    """A ticket, and for how many seconds it is valid."""

    ticket = serializers.CharField()
    expires_in = serializers.IntegerField()


class UpToSerializer(serializers.Serializer):
    """The newest notification that a user has seen."""

    up_to = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
