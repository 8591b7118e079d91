"""A project as Render would build, start and serve it."""
