"""Accounts over HTTP. Signing in is simplejwt's own view."""

from django.db.models import Q
from rest_framework import generics, permissions
from rest_framework_simplejwt.views import TokenRefreshView

from users.models import User
from users.serializers import (
    AccountSerializer,
    RefreshSerializer,
    SignupSerializer,
    UserSerializer,
)


class SignupView(generics.CreateAPIView):
    """Create an account."""

    # None, or a stale token left in the client would keep people from signing up.
    authentication_classes = []
    permission_classes = [permissions.AllowAny]
    serializer_class = SignupSerializer


class RefreshView(TokenRefreshView):
    """Exchange a refresh token for a new access token."""

    serializer_class = RefreshSerializer


class MeView(generics.RetrieveAPIView):
    """Show the account whose token the request carries."""

    serializer_class = AccountSerializer

    def get_object(self):
        """Called by the view for the object to show."""
        return self.request.user


class SearchView(generics.ListAPIView):
    """Find other people by a part of their name."""

    serializer_class = UserSerializer

    def get_queryset(self):
        """Called by the view for the people to list."""
        # PostgreSQL refuses text that contains a NUL character.
        text = self.request.query_params.get("q", "").replace("\0", "").strip()
        # No name is that long, and SQLite refuses a pattern of 50,000 characters.
        if not text or len(text) > 150:
            return User.objects.none()
        named = (
            Q(username__icontains=text)
            | Q(first_name__icontains=text)
            | Q(last_name__icontains=text)
            | Q(profile__display_name__icontains=text)
        )
        others = User.objects.filter(named, is_active=True).exclude(
            pk=self.request.user.pk
        )
        return others.select_related("profile").order_by("username")
