"""The environment in `.venv`: made once, then handed over to."""
