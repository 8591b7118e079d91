"""Messages over HTTP."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.response import Response
from rest_framework.views import APIView

from messaging import services
from messaging.models import Message
from messaging.serializers import (
    ConversationSerializer,
    MessageSerializer,
    UpdatedSerializer,
)
from users.models import User


class MessageListView(generics.ListCreateAPIView):
    """List the user's messages (GET), or send one (POST)."""

    serializer_class = MessageSerializer

    def get_queryset(self):
        """Called by the view for the messages to list."""
        return Message.objects.of(self.request.user)

    def perform_create(self, serializer):
        """Called by the view with valid data."""
        serializer.instance = services.send_message(
            sender=self.request.user, **serializer.validated_data
        )


class ConversationListView(generics.ListAPIView):
    """List the user's conversations, the latest first."""

    serializer_class = ConversationSerializer

    def get_queryset(self):
        """Called by the view for the conversations to list."""
        return Message.objects.conversations_of(self.request.user)


class ConversationView(generics.ListAPIView):
    """List the messages with one other user, newest first."""

    serializer_class = MessageSerializer

    def get_queryset(self):
        """Called by the view for the messages to list."""
        partner = get_object_or_404(User, pk=self.kwargs["user_id"])
        return Message.objects.between(self.request.user, partner)


class MarkReadView(APIView):
    """Mark a conversation as read."""

    @extend_schema(request=None, responses=UpdatedSerializer)
    def post(self, request, user_id):
        """Called for POST: 200 with the number of messages that were unread."""
        partner = get_object_or_404(User, pk=user_id)
        updated = services.mark_read(reader=request.user, partner=partner)
        return Response({"updated": updated})
