"""How users look to others, and how a new account is validated."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError
from rest_framework import serializers
from rest_framework.validators import UniqueValidator
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.serializers import TokenRefreshSerializer

from users.models import User
from users.services import create_account


class UserBriefSerializer(serializers.ModelSerializer):
    """Just enough to name somebody."""

    class Meta:
        model = User
        fields = ["id", "username"]


class UserNameSerializer(serializers.ModelSerializer):
    """Somebody's full name, without what only they may see."""

    class Meta:
        model = User
        fields = ["id", "username", "first_name", "last_name"]


class UserSerializer(serializers.ModelSerializer):
    """Somebody in a list of people."""

    class Meta:
        model = User
        fields = ["id", "username", "first_name", "last_name", "display_name"]


class AccountSerializer(serializers.ModelSerializer):
    """One's own account: the only place that shows an e-mail address."""

    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "display_name"]


class LowercaseEmailField(serializers.EmailField):
    """An address in the form in which it is stored, so that duplicates are found."""

    def to_internal_value(self, data):
        """Called by the serializer before the field's validators run."""
        return User.objects.normalize_email(super().to_internal_value(data))


class NormalizedNameField(serializers.CharField):
    """A name in the form in which it is stored, so that duplicates are found."""

    def to_internal_value(self, data):
        """Called by the serializer before the field's validators run."""
        return User.normalize_username(super().to_internal_value(data))


class SignupSerializer(serializers.ModelSerializer):
    """A new account."""

    username = NormalizedNameField(
        max_length=150,
        validators=[User.username_validator, UniqueValidator(User.objects.all())],
    )
    email = LowercaseEmailField(validators=[UniqueValidator(User.objects.all())])
    display_name = serializers.CharField(max_length=100, required=False)

    class Meta:
        model = User
        fields = ["username", "email", "password", "display_name"]

    def validate(self, attrs):
        """Called by is_valid() when every field is valid by itself."""
        candidate = User(username=attrs["username"], email=attrs["email"])
        try:
            validate_password(attrs["password"], user=candidate)
        except DjangoValidationError as error:
            raise serializers.ValidationError({"password": error.messages}) from error
        return attrs

    def create(self, validated_data):
        """Called by save()."""
        validated_data.setdefault("display_name", validated_data["username"][:100])
        try:
            return create_account(**validated_data)
        except IntegrityError:
            # Somebody took the name since we looked: looking again says which one.
            self.run_validation(self.initial_data)
            raise

    def to_representation(self, user):
        """Called for the answer: the account, without its password."""
        return AccountSerializer(user).data


class RefreshSerializer(TokenRefreshSerializer):
    """A refresh token, refused when its user is gone."""

    def validate(self, attrs):
        """Called by is_valid(): simplejwt looks the user up and lets a miss escape."""
        try:
            return super().validate(attrs)
        except User.DoesNotExist as error:
            raise InvalidToken("The user of this token no longer exists.") from error
