"""Calls send_notification() as a management command does: plain code, and no event loop.

`check_command.py PATH ARGUMENTS`, the arguments as JSON. What has been sent is reported
when the process ends, after the threads that it waits for: a thread that sends in the
background is as good, one that dies with the process is not.
"""

import asyncio
import atexit
import gc
import json
import os
import sys
import traceback


def main():
    """Report {"sent": groups, "error": traceback, "unfinished": frames, and the journal}."""
    sys.path[0] = os.getcwd()
    import django

    django.setup()
    from check_discovery import Parts, is_async
    from check_journal import Journal, keeping

    path, arguments = sys.argv[1], json.loads(sys.argv[2])
    sender = Parts(os.getcwd(), path).sender
    tasks, report = _watched_tasks(), {"error": ""}
    with keeping(Journal()) as journal:
        # The first that is registered is the last to be called.
        atexit.register(_tell, report, tasks, journal)
        try:
            if is_async(sender):
                asyncio.run(sender(**arguments))
            else:
                sender(**arguments)
        except Exception:
            report["error"] = traceback.format_exc()
        gc.collect()  # what was never awaited is warned of when it is thrown away


def _watched_tasks():
    """Each task that is made from now on, with the learner's frames that made it."""
    from check_journal import learners_frames

    tasks = []
    create_task = asyncio.BaseEventLoop.create_task

    def noted(loop, *args, **kwargs):
        task = create_task(loop, *args, **kwargs)
        tasks.append((task, learners_frames()))
        return task

    asyncio.BaseEventLoop.create_task = noted
    return tasks


def _tell(report, tasks, journal):
    """Called when the interpreter ends: print what has become of it."""
    from check_recording_layer import sent

    lost = [frames for task, frames in tasks if not task.done() or task.cancelled()]
    report |= {"sent": sent, "unfinished": lost, "journal": vars(journal)}
    print("RESULT " + json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
