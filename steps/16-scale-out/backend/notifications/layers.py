"""The channel layer, where there is one. Where there is none, everything is HTTP only."""

from django.conf import settings


def has_websockets():
    """Return whether this server has all that sockets need."""
    return bool(settings.WEBSOCKETS and settings.CHANNEL_LAYERS)


def get_channel_layer():
    """Return the channel layer, or None."""
    if not has_websockets():
        return None
    # Not at the top of the file: the package might be missing.
    from channels.layers import get_channel_layer as layer_of_channels

    return layer_of_channels()
