"""Whom an access token signs in, and whether that is still so."""

from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from notifications.services import send_to_groups, user_group


def claims_of(token):
    """Return what a valid access token says; nothing if it is not valid."""
    try:
        return JWTAuthentication().get_validated_token(token).payload
    except (AuthenticationFailed, ValueError):
        # ValueError: text that cannot be encoded.
        return {}


def user_of(claims):
    """Return the user that these claims sign in, or None if they no longer do."""
    try:
        user = JWTAuthentication().get_user(claims)
    except (AuthenticationFailed, TypeError, ValueError):
        # Deleted, inactive, with another password, or an id that is not a number.
        return None
    login = claims.get("login")
    ended = BlacklistedToken.objects.filter(token__jti=login).exists()
    return None if ended else user


@receiver([post_save, post_delete], sender=get_user_model())
def account_changed(instance, created=False, **kwargs):
    """Called by Django when an account was saved, perhaps with another password."""
    if not created:
        check_sessions(instance.pk)


@receiver(post_save, sender=BlacklistedToken)
def logged_out(instance, **kwargs):
    """Called by Django when a refresh token was made worthless: somebody logged out."""
    check_sessions(instance.token.user_id)


def check_sessions(user_id):
    """Have all sockets of a user find out, after the commit, whether they may stay open."""

    def send():
        events = {user_group(user_id): {"type": "session.check"}}
        async_to_sync(send_to_groups)(events)

    # Robust: if the event is lost, each socket finds out by itself a little later.
    transaction.on_commit(send, robust=True)
