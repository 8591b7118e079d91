"""Notifications over HTTP."""

from django.shortcuts import get_object_or_404
from redis.exceptions import RedisError
from rest_framework import generics, status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications import reading, tickets
from notifications.serializers import NotificationSerializer, UpToSerializer


class NewestFirst(CursorPagination):
    """Pages that continue after the last id shown: new rows do not shift them."""

    ordering = "-id"
    page_size = 20

    def paginate_queryset(self, queryset, request, view=None):
        """Called for each page: 404 for a ?cursor= that is not after an id."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except ValueError as error:
            raise NotFound(self.invalid_cursor_message) from error


class NotificationListView(generics.ListAPIView):
    """List the user's notifications, newest first."""

    serializer_class = NotificationSerializer
    pagination_class = NewestFirst

    def get_queryset(self):
        """Called by the view: all of them, or with ?unread=true the unread ones."""
        mine = self.request.user.notifications.all()
        only_unread = self.request.query_params.get("unread") == "true"
        return mine.unread() if only_unread else mine


class UnreadCountView(APIView):
    """Count what the user has not read."""

    def get(self, request):
        """Called for GET: 200 with the number."""
        return Response({"unread": request.user.notifications.unread().count()})


class MarkOneReadView(APIView):
    """Mark one notification as read."""

    def post(self, request, notification_id):
        """Called for POST: 200 with how many are left, 404 if it is not the user's."""
        get_object_or_404(request.user.notifications, pk=notification_id)
        unread = reading.mark_one(user=request.user, notification_id=notification_id)
        return Response({"unread": unread})


class MarkReadView(APIView):
    """Mark everything as read that the user has seen."""

    def post(self, request):
        """Called for POST: 200 with how many are left."""
        seen = UpToSerializer(data=request.data)
        seen.is_valid(raise_exception=True)
        unread = reading.mark_up_to(user=request.user, **seen.validated_data)
        return Response({"unread": unread})


class TicketsUnavailable(APIException):
    """There is nowhere to keep a ticket."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Tickets are not available at the moment."
    wait = 5  # seconds: DRF sends them as Retry-After


class TicketView(APIView):
    """Issue a ticket, which opens one socket."""

    def post(self, request):
        """Called for POST: 201 with the ticket, 503 while Redis is down."""
        try:
            ticket = tickets.issue(
                request.auth.payload, request.headers.get("Origin", "")
            )
        except RedisError as error:
            raise TicketsUnavailable from error
        answer = {"ticket": ticket, "expires_in": tickets.LIFETIME}
        return Response(answer, status=status.HTTP_201_CREATED)
