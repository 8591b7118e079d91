"""How friend requests look."""

from rest_framework import serializers

from friends.models import Friendship
from users.serializers import UserNameSerializer


class IncomingRequestSerializer(serializers.ModelSerializer):
    """A request as the one who was asked sees it."""

    from_user = UserNameSerializer()

    class Meta:
        model = Friendship
        fields = ["id", "from_user", "created_at"]


class FriendRequestSerializer(serializers.ModelSerializer):
    """A request with both of its ends."""

    from_user = UserNameSerializer()
    to_user = UserNameSerializer()

    class Meta:
        model = Friendship
        fields = ["id", "from_user", "to_user", "created_at"]
