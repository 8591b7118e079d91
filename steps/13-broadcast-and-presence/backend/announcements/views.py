"""Announcements over HTTP."""

from django.utils.functional import cached_property
from rest_framework import generics
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from announcements import reading, services
from announcements.models import Announcement
from announcements.serializers import AnnouncementSerializer
from notifications.numbering import inbox_of
from notifications.serializers import UpToSerializer
from notifications.views import NewestFirst


class AnnouncementListView(generics.ListCreateAPIView):
    """List announcements, newest first, or make one."""

    queryset = Announcement.objects.all()
    serializer_class = AnnouncementSerializer
    pagination_class = NewestFirst

    def get_permissions(self):
        """Called by the view: everybody may read, only staff may write."""
        writes = self.request.method == "POST"
        return [IsAdminUser() if writes else IsAuthenticated()]

    @cached_property
    def read_up_to(self):
        """The last announcement that this user has read, for the serializer."""
        return inbox_of(self.request.user.pk).announcements_read

    def perform_create(self, serializer):
        """Called by the view after validation."""
        serializer.instance = services.announce(
            author=self.request.user, **serializer.validated_data
        )


class UnreadCountView(APIView):
    """Count what the user has not read."""

    def get(self, request):
        """Called for GET: 200 with the number."""
        return Response({"unread": reading.unread_of(request.user)})


class MarkReadView(APIView):
    """Mark everything as read that the user has seen."""

    def post(self, request):
        """Called for POST: 200 with how many are left."""
        seen = UpToSerializer(data=request.data)
        seen.is_valid(raise_exception=True)
        unread = reading.mark_up_to(user=request.user, **seen.validated_data)
        return Response({"unread": unread})
