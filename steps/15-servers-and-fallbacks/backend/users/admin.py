"""Users and profiles in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from users.models import Profile, User


class ProfileInline(admin.StackedInline):
    """The profile, edited together with its user."""

    model = Profile


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Django's user admin, asking for the address that a new user signs in with."""

    inlines = [ProfileInline]
    add_fieldsets = (
        (None, {"fields": ("username", "email", "password1", "password2")}),
    )
