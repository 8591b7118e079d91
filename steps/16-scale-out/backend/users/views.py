"""Accounts over HTTP. Tokens are issued, renewed and ended by simplejwt's own views."""

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, permissions, status
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.views import (
    TokenBlacklistView,
    TokenObtainPairView,
    TokenRefreshView,
)

from users.models import User
from users.serializers import (
    AccountSerializer,
    LoginSerializer,
    PasswordSerializer,
    RefreshSerializer,
    SignupSerializer,
    UserSerializer,
)


@extend_schema(responses={201: AccountSerializer})
class SignupView(generics.CreateAPIView):
    """Create an account."""

    # None, or a stale token left in the client would keep people from signing up.
    authentication_classes = []
    permission_classes = [permissions.AllowAny]
    serializer_class = SignupSerializer


class LoginView(TokenObtainPairView):
    """Sign in: exchange email and password for an access and a refresh token."""

    serializer_class = LoginSerializer


class LogoutView(TokenBlacklistView):
    """Sign out: end the login that a refresh token belongs to, and its sockets."""

    @extend_schema(responses={204: None})
    def post(self, request, *args, **kwargs):
        """Called for POST: 204, or 401 if the token is not good any more."""
        super().post(request, *args, **kwargs)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(APIView):
    """Change the user's password, which ends all of their sessions."""

    @extend_schema(request=PasswordSerializer, responses={204: None})
    def post(self, request):
        """Called for POST: 204, or 400 if one of the passwords is not right."""
        passwords = PasswordSerializer(data=request.data, context={"request": request})
        passwords.is_valid(raise_exception=True)
        request.user.set_password(passwords.validated_data["new_password"])
        request.user.save(update_fields=["password"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class RefreshView(TokenRefreshView):
    """Exchange a refresh token for a new access token."""

    serializer_class = RefreshSerializer


class MeView(generics.RetrieveAPIView):
    """Show the account whose token the request carries."""

    serializer_class = AccountSerializer

    def get_object(self):
        """Called by the view for the object to show."""
        return self.request.user


@extend_schema(parameters=[OpenApiParameter("q", str)])
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
