"""Accounts: who signs in, and the name they show to others."""

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models


class AccountManager(UserManager):
    """Treat Alice@Example.com and alice@example.com as one address."""

    @classmethod
    def normalize_email(cls, email):
        """Called by Django before it stores or validates an address."""
        return (email or "").lower()

    def get_by_natural_key(self, email):
        """Called by Django's authenticate() to find who claims this address."""
        return self.get(email=self.normalize_email(email))


class User(AbstractUser):
    """A person who signs in with an e-mail address."""

    email = models.EmailField(unique=True)

    objects = AccountManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username"]

    @property
    def display_name(self) -> str:
        """The profile's name, or the username of those who have no profile."""
        # createsuperuser makes a user without a profile.
        profile = getattr(self, "profile", None)
        return profile.display_name if profile else self.username


class Profile(models.Model):
    """What a user tells about themselves."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="profile")
    display_name = models.CharField(max_length=100)

    def __str__(self):
        return self.display_name
