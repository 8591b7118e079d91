"""Projects that prove the items of step 5."""

from tests.variants import Edit, broken, correct

ASGI = "backend/numeneon/asgi.py"
VARIANTS = []
