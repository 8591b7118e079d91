"""What happens when someone signs up."""

from django.db import transaction

from users.models import Profile, User


@transaction.atomic
def create_account(*, username, email, password, display_name):
    """Create a user together with their profile."""
    user = User.objects.create_user(username, email, password)
    Profile.objects.create(user=user, display_name=display_name)
    return user
