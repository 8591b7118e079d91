"""Makes products, for which the API has no address: they are made in the admin."""

from django.apps import apps

_FIELDS = {"name", "price"}


def save_product(called, price, renamed=None):
    """Make a product, or give the one of that name another price. {} if there is no model."""
    models = [model for model in apps.get_models() if _names(model) >= _FIELDS]
    products = [model for model in models if model.__name__ == "Product"]
    if not products and len(models) == 1:
        products = models  # whatever it is called: nothing else has a name and a price
    if not products:
        return {}
    row, _ = products[0]._base_manager.update_or_create(
        name=called, defaults={"name": renamed or called, "price": price}
    )
    return {"id": row.pk}


def _names(model):
    return {field.name for field in model._meta.concrete_fields}
