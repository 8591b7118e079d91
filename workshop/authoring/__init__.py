"""What maintainers' commands do: make a step, insert one, write what follows from the list."""
