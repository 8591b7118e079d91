"""How announcements look over HTTP."""

from rest_framework import serializers

from announcements.models import Announcement


class AnnouncementSerializer(serializers.ModelSerializer):
    """An announcement, with the names that its frame on a socket has."""

    read = serializers.SerializerMethodField()

    class Meta:
        model = Announcement
        fields = ["id", "text", "created_at", "read"]
        read_only_fields = ["id"]

    def get_read(self, announcement) -> bool:
        """Called for each row: whether the user has read it."""
        return announcement.pk <= self.context["view"].read_up_to
