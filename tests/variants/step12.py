"""Variants of step 12."""

import re

import course
from course.source import extract
from tests.variants import Edit, broken, correct

EVENTS = "backend/notifications/events.py"
MODELS = "backend/orders/models.py"
SERIALIZERS = "backend/orders/serializers.py"
SERVICES = "backend/orders/services.py"
SETTINGS = "backend/numeneon/settings.py"
STATUSES = "backend/orders/statuses.py"
URLS = "backend/numeneon/urls.py"
VIEWS = "backend/orders/views.py"
FOLDER = course.step("orders").folder

BELOW_V1 = '    path("api/v1/", include(v1)),\n'
THEIRS = "orders.filter(customer__user=user)"
TO_CUSTOMER = "    publish(user_ids=[order.customer.user_id], "
NOT_HERS = "        if not may_set(request.user, wanted):\n"
SEEN = "filter(pk=order.pk, version=version)"
NOT_SEEN = "    if version != order.version:\n        raise Outdated\n"


def instead(path: str, symbol: str, code: str) -> Edit:
    """Other code in place of a function or class."""
    return Edit(path, extract(FOLDER / path, symbol), code)


def called_article(path: str) -> Edit:
    """A product is an article there."""
    text = re.sub(r"\bProduct\b", "Article", (FOLDER / path).read_text("utf-8"))
    return Edit(path, "", text.replace('"orders.product"', '"orders.article"'))


# The same rules as pairs.
PAIRS = '''"""Each pair is a step that an order can take."""

STEPS = {
    ("pending", "paid"),
    ("paid", "shipped"),
    ("shipped", "delivered"),
    ("pending", "cancelled"),
    ("paid", "cancelled"),
}


def may_follow(status, *, current):
    return (current, status) in STEPS


def may_set(user, status):
    return status == "cancelled" if not user.is_staff else True


def allowed_for(user, order):
    return [to for of, to in sorted(STEPS) if of == order.status and may_set(user, to)]
'''

BY_HAND = """    order = Order(customer=customer)
    order.save()
    for item in items:
        line = OrderItem(order=order, product=item["product"], quantity=item["quantity"])
        line.name, line.unit_price = line.product.name, line.product.price
        line.save()
    return order
"""

WITH_A_LOCK = '''@transaction.atomic
def change_status(*, order, status, version):
    """The row is locked: whoever comes second waits, and reads what the first one wrote."""
    locked = Order.objects.select_for_update().get(pk=order.pk)
    order.status, order.version = locked.status, locked.version
    if locked.version != version:
        raise Outdated
    if not may_follow(status, current=locked.status):
        raise NotPossible
    order.status = status
    order.version += 1
    order.save()
    events.order_status(order)
'''

ONLY_THE_STATUS_UNDER_THE_LOCK = '''@transaction.atomic
def change_status(*, order, status, version):
    """The version that is compared was read before the lock."""
    if version != order.version:
        raise Outdated
    locked = Order.objects.select_for_update().get(pk=order.pk)
    if not may_follow(status, current=locked.status):
        raise NotPossible
    locked.status = status
    locked.version += 1
    locked.save()
    order.refresh_from_db()
    events.order_status(order)
'''

FIRST_THE_UPDATE = '''def change_status(*, order, status, version):
    """What the order was is a part of the condition; the reason is looked for afterwards."""
    before = [name for name in Order.Status.values if may_follow(status, current=name)]
    with transaction.atomic():
        rows = Order.objects.filter(id=order.id, version=version, status__in=before)
        changed = rows.update(
            status=status, version=version + 1, updated_at=timezone.now()
        )
        order.refresh_from_db()
        if changed:
            events.order_status(order)
            return
    raise NotPossible if order.version == version else Outdated
'''

VARIANTS = [
    broken(
        "orders.addresses",
        "the notifications have moved",
        Edit(URLS, '    path("api/notifications/", include("notifications.urls")),\n', ""),
        Edit(
            URLS,
            "v1 = [\n",
            'v1 = [\n    path("notifications/", include("notifications.urls")),\n',
        ),
    ),
    correct(
        "orders.addresses",
        "each address by itself",
        Edit(
            URLS,
            BELOW_V1,
            '    path("api/v1/ws/ticket/", TicketView.as_view()),\n'
            '    path("api/v1/", include("orders.urls")),\n',
        ),
        Edit(URLS, extract(FOLDER / URLS, "v1"), ""),
    ),
    broken(
        "orders.customers",
        "everybody's",
        Edit(
            VIEWS,
            "customers if user.is_staff else customers.filter(user=user)",
            "customers",
        ),
    ),
    broken(
        "orders.customers",
        "the second record replaces the first",
        Edit(
            VIEWS,
            "                serializer.save(user=self.request.user)\n",
            "                Customer.objects.filter(user=self.request.user).delete()\n"
            "                serializer.save(user=self.request.user)\n",
        ),
    ),
    correct(
        "orders.customers",
        "400, and looked for before",
        Edit(
            VIEWS,
            "        try:\n            with transaction.atomic():\n",
            "        if Customer.objects.filter(user=self.request.user).exists():\n"
            '            raise ValidationError("One is enough.")\n'
            "        try:\n            with transaction.atomic():\n",
        ),
        Edit(
            VIEWS,
            "import APIException, PermissionDenied\n",
            "import APIException, PermissionDenied, ValidationError\n",
        ),
    ),
    broken(
        "orders.placed",
        "the total is a number",
        Edit(
            SERIALIZERS,
            "        super().__init__(max_digits=None, decimal_places=2, read_only=True)\n",
            "        super().__init__(None, 2, coerce_to_string=False, read_only=True)\n",
        ),
    ),
    correct(
        "orders.placed",
        "added by the database, and rounded",
        Edit(
            MODELS,
            '        return sum((item.subtotal for item in self.items.all()), Decimal("0.00"))\n',
            '        cost = models.F("unit_price") * models.F("quantity")\n'
            '        found = self.items.aggregate(total=models.Sum(cost))["total"]\n'
            '        return Decimal(found).quantize(Decimal("0.01"))\n',
        ),
    ),
    correct(
        "orders.placed",
        "products are called articles",
        *map(
            called_article,
            [
                MODELS,
                SERIALIZERS,
                VIEWS,
                "backend/orders/admin.py",
                "backend/orders/migrations/0001_initial.py",
                "backend/users/management/commands/seed_demo.py",
            ],
        ),
    ),
    broken(
        "orders.price",
        "that of today",
        Edit(
            MODELS,
            "return self.unit_price * self.quantity",
            "return self.product.price * self.quantity",
        ),
    ),
    broken(
        "orders.price",
        "the name of today",
        Edit(
            SERIALIZERS,
            "    quantity = serializers.IntegerField(",
            '    name = serializers.CharField(source="product.name", read_only=True)\n'
            "    quantity = serializers.IntegerField(",
        ),
    ),
    broken(
        "orders.price",
        "that of the client",
        Edit(
            SERIALIZERS,
            '        read_only_fields = ["name", "unit_price"]\n',
            '        read_only_fields = ["name"]\n'
            '        extra_kwargs = {"unit_price": {"required": False}}\n',
        ),
        Edit(
            SERVICES,
            'unit_price=item["product"].price',
            'unit_price=item.pop("unit_price", item["product"].price)',
        ),
    ),
    correct(
        "orders.price",
        "one item after another",
        instead(
            SERVICES,
            "place_order",
            f"@transaction.atomic\ndef place_order(*, customer, items):\n{BY_HAND}",
        ),
    ),
    broken(
        "orders.items",
        "none is enough",
        Edit(SERIALIZERS, "many=True, allow_empty=False, ", "many=True, "),
    ),
    broken(
        "orders.items",
        "saved before all are validated",
        Edit(
            SERIALIZERS,
            "    quantity = serializers.IntegerField(min_value=1, max_value=MOST_OF_ONE)\n",
            "    quantity = serializers.IntegerField()\n",
        ),
        Edit(
            VIEWS,
            "        serializer.instance = services.place_order(\n"
            "            customer=customer, **serializer.validated_data\n        )\n",
            "        try:\n"
            "            serializer.instance = services.place_order(\n"
            "                customer=customer, **serializer.validated_data\n            )\n"
            "        except IntegrityError as error:\n"
            "            raise ValidationError from error\n",
        ),
        Edit(
            VIEWS,
            "import APIException, PermissionDenied\n",
            "import APIException, PermissionDenied, ValidationError\n",
        ),
        Edit(
            SERVICES,
            "@transaction.atomic\ndef place_order",
            "def place_order",
        ),
    ),
    correct(
        "orders.items",
        "validated by hand",
        Edit(
            SERIALIZERS,
            "many=True, allow_empty=False, max_length=MOST_ITEMS)\n",
            "many=True)\n",
        ),
        Edit(
            SERIALIZERS,
            "    def get_allowed(self, order):\n",
            "    def validate_items(self, items):\n"
            "        if not 0 < len(items) <= MOST_ITEMS:\n"
            '            raise serializers.ValidationError("Between 1 and 50.")\n'
            "        return items\n\n"
            "    def get_allowed(self, order):\n",
        ),
    ),
    broken(
        "orders.own",
        "everybody's",
        Edit(MODELS, f"orders if user.is_staff else {THEIRS}", "orders"),
    ),
    broken(
        "orders.own",
        "not for staff",
        Edit(MODELS, f"orders if user.is_staff else {THEIRS}", THEIRS),
    ),
    correct(
        "orders.own",
        "by the customer's record",
        Edit(
            MODELS,
            THEIRS,
            "orders.filter(customer__in=Customer.objects.filter(user_id=user.pk))",
        ),
    ),
    broken(
        "orders.transitions",
        "cancelled on its way",
        Edit(
            STATUSES,
            "Status.SHIPPED: [Status.DELIVERED]",
            "Status.SHIPPED: [Status.DELIVERED, Status.CANCELLED]",
        ),
    ),
    broken(
        "orders.transitions",
        "nobody is told what is allowed",
        Edit(VIEWS, '{"detail": text, "allowed": allowed}', '{"detail": text}'),
    ),
    correct("orders.transitions", "pairs", Edit(STATUSES, "", PAIRS)),
    broken(
        "orders.who",
        "customers pay by themselves",
        Edit(STATUSES, "return user.is_staff or status == Status.CANCELLED", "return True"),
    ),
    broken(
        "orders.who",
        "staff alone",
        Edit(STATUSES, "user.is_staff or status == Status.CANCELLED", "user.is_staff"),
    ),
    broken(
        "orders.who",
        "customers are offered what only staff can do",
        Edit(STATUSES, " if may_set(user, status)]", "]"),
    ),
    correct(
        "orders.who",
        "said in the view",
        Edit(
            VIEWS,
            NOT_HERS,
            '        if wanted != "cancelled" and request.user.is_staff is False:\n',
        ),
        Edit(VIEWS, "import allowed_for, may_set\n", "import allowed_for\n"),
    ),
    broken(
        "orders.version",
        "the last one wins",
        Edit(SERVICES, NOT_SEEN, ""),
        Edit(SERVICES, SEEN, "filter(pk=order.pk)"),
    ),
    correct(
        "orders.version",
        "the UPDATE comes first",
        instead(SERVICES, "change_status", FIRST_THE_UPDATE),
    ),
    broken(
        "orders.lock",
        "compared before, and not by the UPDATE",
        Edit(SERVICES, SEEN, "filter(pk=order.pk)"),
    ),
    broken(
        "orders.lock",
        "the version is compared before the row is locked",
        instead(SERVICES, "change_status", ONLY_THE_STATUS_UNDER_THE_LOCK),
    ),
    correct(
        "orders.lock",
        "the row is locked",
        instead(SERVICES, "change_status", WITH_A_LOCK),
    ),
    broken(
        "orders.event",
        "the customer's id is not the user's",
        Edit(EVENTS, TO_CUSTOMER, "    publish(user_ids=[order.customer_id], "),
    ),
    broken(
        "orders.event",
        "as it was before",
        Edit(SERVICES, "    events.order_status(order)\n", ""),
        Edit(
            SERVICES,
            "    order.refresh_from_db()\n",
            "    events.order_status(order)\n    order.refresh_from_db()\n",
        ),
    ),
    correct(
        "orders.event",
        "written out",
        instead(
            EVENTS,
            "order_status",
            "def order_status(order):\n"
            "    data = {\n"
            '        "order_id": order.pk,\n'
            '        "status": order.status,\n'
            '        "version": order.version,\n'
            '        "total": f"{order.total:.2f}",\n'
            '        "updated_at": order.updated_at.isoformat(),\n'
            "    }\n"
            '    publish(user_ids={order.customer.user.pk}, kind="order_status", data=data)\n',
        ),
        Edit(EVENTS, "from orders.serializers import OrderStatusSerializer\n", ""),
    ),
    broken(
        "orders.missed",
        "only to who is there",
        Edit(
            EVENTS,
            f'{TO_CUSTOMER}kind="order_status", data=data)\n',
            "    send_after_commit(\n"
            '        {order.customer.user_id: {"type": "order_status", "data": data}}\n'
            "    )\n",
        ),
    ),
    correct(
        "orders.missed",
        "one row after another",
        Edit(
            EVENTS,
            "    stored = Notification.objects.bulk_create(\n"
            "        Notification(recipient_id=pk, seq=seq, kind=kind, data=data)\n"
            "        for pk, seq in next_numbers(user_ids).items()\n"
            "    )\n",
            "    stored = [\n"
            "        Notification.objects.create(\n"
            "            recipient_id=pk, seq=seq, kind=kind, data=data\n"
            "        )\n"
            "        for pk, seq in next_numbers(user_ids).items()\n"
            "    ]\n",
        ),
    ),
    broken(
        "orders.silent",
        "sent before the commit",
        Edit(EVENTS, "    transaction.on_commit(send, robust=True)\n", "    send()\n"),
    ),
    broken(
        "orders.silent",
        "a refusal is an event as well",
        Edit(
            VIEWS,
            "            allowed = allowed_for(request.user, order)\n",
            "            allowed = allowed_for(request.user, order)\n"
            "            services.events.order_status(order)\n",
        ),
    ),
    correct(
        "orders.silent",
        "only what has changed",
        Edit(
            EVENTS,
            TO_CUSTOMER,
            '    if data["version"] == 1:\n        return\n' + TO_CUSTOMER,
        ),
    ),
    broken(
        "orders.together",
        "no transaction around the two",
        Edit(SERVICES, "@transaction.atomic\ndef change_status", "def change_status"),
    ),
    correct(
        "orders.together",
        "a transaction for each request",
        Edit(
            SETTINGS,
            '            "NAME": BASE_DIR / "db.sqlite3",\n',
            '            "NAME": BASE_DIR / "db.sqlite3",\n            "ATOMIC_REQUESTS": True,\n',
        ),
    ),
]
