"""An installed browser, driven by its own protocol, for what only a browser can show."""
