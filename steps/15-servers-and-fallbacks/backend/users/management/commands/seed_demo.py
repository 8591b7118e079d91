"""manage.py seed_demo: people, what they said and what they ordered, to try things with."""

import secrets

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone

from friends.models import Friendship
from messaging.models import Message
from orders.models import Customer, Product
from orders.services import place_order
from posts.models import Post
from users.models import Profile, User

PEOPLE = {"alice": "Anders", "bob": "Brown", "carol": "Costa", "dan": "Dubois"}
POSTS = {"alice": "Hello, Numeneon!", "bob": "First day here.", "carol": "Anyone up?"}
PRODUCTS = {"Neon sign": "49.90", "Poster": "12.50", "Sticker": "0.99"}
ORDERED = {"Neon sign": 1, "Sticker": 3}
STAFF = "dan"


class Command(BaseCommand):
    """Fill the database of a developer."""

    help = "Creates alice, bob, carol and dan, who all sign in with one password."

    def add_arguments(self, parser):
        """Called by Django to learn the command's options."""
        parser.add_argument("--password", help="their password (default: a random one)")

    @transaction.atomic
    def handle(self, *args, **options):
        """Called by Django to run the command."""
        if not settings.DEBUG:
            raise CommandError("Demo people are for development: DEBUG is off.")
        password = options["password"] or secrets.token_urlsafe(12)
        # Hashed once: hashing is slow on purpose, and the four share it.
        hashed = make_password(password)
        people = {name: self.person(name, hashed) for name in PEOPLE}
        self.relations(people)
        self.shop(people["bob"])
        for user in people.values():
            self.stdout.write(f"{user.email}  {password}")

    def person(self, name, hashed_password):
        """Create or refresh one person."""
        account = {
            "username": name,
            "first_name": name.title(),
            "last_name": PEOPLE[name],
            "password": hashed_password,
            "is_active": True,
            "is_staff": name == STAFF,
        }
        try:
            user, _ = User.objects.update_or_create(
                email=f"{name}@example.com", defaults=account
            )
        except IntegrityError as error:
            raise CommandError(f"Another account is called {name} already.") from error
        Profile.objects.get_or_create(
            user=user, defaults={"display_name": user.get_full_name()}
        )
        return user

    def relations(self, people):
        """Make alice and bob friends, and let people say something."""
        alice, bob = people["alice"], people["bob"]
        if not Friendship.objects.accepted().between(alice, bob).exists():
            Friendship.objects.between(alice, bob).delete()
            Friendship.objects.create(
                from_user=alice, to_user=bob, accepted_at=timezone.now()
            )
        if not Post.objects.filter(author__in=people.values()).exists():
            for name, content in POSTS.items():
                Post.objects.create(author=people[name], content=content)
        if not Message.objects.between(alice, bob).exists():
            Message.objects.create(sender=alice, receiver=bob, content="Hi Bob!")
            Message.objects.create(sender=bob, receiver=alice, content="Hi Alice!")

    def shop(self, user):
        """Offer a few products, and let a user order two of them."""
        for name, price in PRODUCTS.items():
            Product.objects.get_or_create(name=name, defaults={"price": price})
        address = {"name": user.get_full_name(), "address": "1 Main Street"}
        customer, created = Customer.objects.get_or_create(user=user, defaults=address)
        if created:
            items = [
                {"product": Product.objects.get(name=name), "quantity": quantity}
                for name, quantity in ORDERED.items()
            ]
            place_order(customer=customer, items=items)
