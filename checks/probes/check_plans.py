"""Runs a command of the project's and explains its queries: `check_plans.py COMMAND ARGUMENTS`."""

import json
import os
import sys


def main():
    """Report {"plans": [[query, step of SQLite's plan], ...]}."""
    sys.path[0] = os.getcwd()
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    plans = []

    def explain(execute, sql, params, many, context):
        if sql.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            cursor = context["connection"].create_cursor()
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params or ())
            plans.extend([sql, row[3]] for row in cursor.fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        call_command(*sys.argv[1:])
    print("RESULT " + json.dumps({"plans": plans}))


if __name__ == "__main__":
    main()
