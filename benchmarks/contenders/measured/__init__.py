"""What a step gets for a measurement: settings around its own, and two more addresses."""
