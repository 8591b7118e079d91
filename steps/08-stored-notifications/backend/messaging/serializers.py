"""How messages and conversations look."""

from rest_framework import serializers

from messaging.models import Message
from users.models import User
from users.serializers import UserBriefSerializer


class MessageSerializer(serializers.ModelSerializer):
    """A message; to write one takes receiver_id and content."""

    sender = UserBriefSerializer(read_only=True)
    receiver = UserBriefSerializer(read_only=True)
    receiver_id = serializers.PrimaryKeyRelatedField(
        source="receiver",
        queryset=User.objects.filter(is_active=True),
        pk_field=serializers.IntegerField(),  # 1e400 is not an id
        write_only=True,
    )

    class Meta:
        model = Message
        fields = [
            "id",
            "sender",
            "receiver",
            "receiver_id",
            "content",
            "is_read",
            "created_at",
        ]
        read_only_fields = ["is_read"]

    def validate_receiver_id(self, receiver):
        """Called by is_valid() with the user that receiver_id names."""
        if receiver == self.context["request"].user:
            raise serializers.ValidationError("You cannot write to yourself.")
        return receiver


class ConversationSerializer(serializers.ModelSerializer):
    """The last message with somebody, seen by the one who asks."""

    user = serializers.SerializerMethodField()
    last_message = MessageSerializer(source="*")
    unread_count = serializers.IntegerField()

    class Meta:
        model = Message
        fields = ["user", "last_message", "unread_count"]

    def get_user(self, message):
        """Called for the field "user": the other end of the conversation."""
        mine = message.sender == self.context["request"].user
        return UserBriefSerializer(message.receiver if mine else message.sender).data
