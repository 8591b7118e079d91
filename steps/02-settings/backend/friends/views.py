"""Friends and friend requests over HTTP."""

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.views import APIView

from friends import services
from friends.models import Friendship, friends_of
from friends.serializers import FriendRequestSerializer, IncomingRequestSerializer
from users.models import User
from users.serializers import UserSerializer


def deleted_or_404(deleted):
    """Answer 204 if there was something to delete."""
    if not deleted:
        raise Http404
    return Response(status=status.HTTP_204_NO_CONTENT)


class FriendListView(generics.ListAPIView):
    """List the user's friends."""

    serializer_class = UserSerializer

    def get_queryset(self):
        """Called by the view for the people to list."""
        friends = friends_of(self.request.user)
        return friends.select_related("profile").order_by("username")


class RequestListView(generics.ListAPIView):
    """List the friend requests that the user has not answered."""

    serializer_class = IncomingRequestSerializer

    def get_queryset(self):
        """Called by the view for the requests to list."""
        return Friendship.objects.requests_to(self.request.user)


class SendRequestView(APIView):
    """Send a friend request."""

    def post(self, request, user_id):
        """Called for POST: 201; 400 for yourself, 404 if unknown, 409 if repeated."""
        to_user = get_object_or_404(User, pk=user_id, is_active=True)
        if to_user == request.user:
            refusal = {"detail": "You cannot send a friend request to yourself."}
            return Response(refusal, status=status.HTTP_400_BAD_REQUEST)
        try:
            friendship = services.send_request(from_user=request.user, to_user=to_user)
        except services.AlreadyConnected:
            refusal = {"detail": "You are friends already, or one of you has asked."}
            return Response(refusal, status=status.HTTP_409_CONFLICT)
        answer = FriendRequestSerializer(friendship).data
        return Response(answer, status=status.HTTP_201_CREATED)


class AcceptRequestView(APIView):
    """Accept a friend request."""

    def post(self, request, request_id):
        """Called for POST: 200, or 404 if the user has received no such request."""
        friendship = services.accept_request(
            request_id=request_id, receiver=request.user
        )
        return Response(FriendRequestSerializer(friendship).data)


class DeclineRequestView(APIView):
    """Decline a friend request."""

    def post(self, request, request_id):
        """Called for POST: 204, or 404 if the user has received no such request."""
        return deleted_or_404(
            services.decline_request(request_id=request_id, receiver=request.user)
        )


class RemoveFriendView(APIView):
    """End a friendship."""

    def delete(self, request, user_id):
        """Called for DELETE: 204, or 404 for somebody who is not a friend."""
        friend = get_object_or_404(User, pk=user_id)
        return deleted_or_404(services.remove_friend(user=request.user, friend=friend))
