"""Uses the project's default channel layer, alone or as one end of two.

`check_layer.py alone`: a message to a channel, and one to a group.
`check_layer.py listen GROUP COUNT SECONDS`: COUNT members of a group wait for one message
each; prints READY once all of them listen.
`check_layer.py tell GROUP TEXT`: sends that message to the group.
"""

import asyncio
import json
import os
import sys
import traceback

from check_settings import layer_config

_PATIENCE = 5


async def alone(layer):
    """What arrived, by how it was sent; None where nothing came in time."""
    channel = await layer.new_channel()
    await layer.send(channel, {"type": "check", "text": "one"})
    direct = await _next(layer, channel)
    await layer.group_add("numeneon-check", channel)
    await layer.group_send("numeneon-check", {"type": "check", "text": "many"})
    return {"channel": direct, "group": await _next(layer, channel)}


async def listen(layer, group, count, seconds):
    """The texts that the members got, in any order; an error counts as a text of its own."""
    channels = [await layer.new_channel() for _ in range(int(count))]
    for channel in channels:
        await layer.group_add(group, channel)
    waiting = [
        asyncio.ensure_future(_heard(layer, name, float(seconds))) for name in channels
    ]
    await asyncio.sleep(0)
    print("READY", flush=True)
    return {"heard": await asyncio.gather(*waiting)}


async def _heard(layer, channel, seconds):
    try:
        return await _next(layer, channel, seconds)
    except Exception as error:
        print("LOST", flush=True)
        return f"{type(error).__module__}.{type(error).__qualname__}: {error}"


async def tell(layer, group, text):
    await layer.group_send(group, {"type": "check", "text": text})
    return {}


async def _next(layer, channel, seconds=_PATIENCE):
    try:
        message = await asyncio.wait_for(layer.receive(channel), seconds)
    except TimeoutError as error:
        # Ours has no text; a layer's own says what it waited for.
        if str(error):
            raise
        return None
    return message.get("text")


async def _run(task, arguments):
    from channels.layers import get_channel_layer

    try:
        layer = get_channel_layer()
        if layer is None:
            return {"error": "there is no channel layer called `default`"}
        return await task(layer, *arguments)
    except Exception as error:
        return {
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exc(),
            "config": layer_config(),
        }


def main():
    sys.path[0] = os.getcwd()
    import django

    django.setup()
    task = {"alone": alone, "listen": listen, "tell": tell}[sys.argv[1]]
    print("RESULT " + json.dumps(asyncio.run(_run(task, sys.argv[2:]))), flush=True)


if __name__ == "__main__":
    main()
