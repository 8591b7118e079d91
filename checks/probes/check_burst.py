"""Posts many bodies to a view of the project at one moment, without a server in between.

`check_burst.py REQUESTS`, as JSON: {"path", "token", "bodies"}. All are in one transaction, so
that their events follow at its commit, as fast as the project can send them.
"""

import json
import os
import sys


def main():
    """Report the status of each answer."""
    sys.path[0] = os.getcwd()
    import django

    django.setup()
    from django.db import transaction
    from django.test import RequestFactory
    from django.urls import resolve

    given = json.loads(sys.argv[1])
    view, requests = resolve(given["path"]), RequestFactory()
    headers = {"Authorization": f"Bearer {given['token']}"}

    def answer(body):
        request = requests.post(given["path"], body, "application/json", headers=headers)
        return view.func(request, *view.args, **view.kwargs).status_code

    with transaction.atomic():
        answers = [answer(body) for body in given["bodies"]]
    print("RESULT " + json.dumps(answers))


if __name__ == "__main__":
    main()
