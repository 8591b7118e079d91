"""One module a command: each adds its own arguments and runs."""
