"""Makes what the pages show out of the steps."""
