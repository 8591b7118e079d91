"""Tools for those who write and maintain the tutorial."""
