"""Projects that prove the items of step 11."""

from tests.variants import Edit, broken, correct

VARIANTS = [
    broken(
        "limits.ends",
        "there is no such command",
        Edit("backend/users/management/commands/example_ends.py", None, None),
    ),
    broken(
        "limits.ends",
        "it says something else",
        Edit(
            "backend/users/management/commands/example_ends.py",
            "self.stdout.write(",
            "self.stdout.write('not yet' or ",
        ),
    ),
    correct(
        "limits.ends",
        "it uses print",
        Edit(
            "backend/users/management/commands/example_ends.py",
            "self.stdout.write(",
            "print(",
        ),
    ),
    broken(
        "limits.limits",
        "there is no such command",
        Edit("backend/users/management/commands/example_limits.py", None, None),
    ),
    broken(
        "limits.limits",
        "it says something else",
        Edit(
            "backend/users/management/commands/example_limits.py",
            "self.stdout.write(",
            "self.stdout.write('not yet' or ",
        ),
    ),
    correct(
        "limits.limits",
        "it uses print",
        Edit(
            "backend/users/management/commands/example_limits.py",
            "self.stdout.write(",
            "print(",
        ),
    ),
    broken(
        "limits.stops-reading",
        "there is no such command",
        Edit("backend/users/management/commands/example_stops_reading.py", None, None),
    ),
    broken(
        "limits.stops-reading",
        "it says something else",
        Edit(
            "backend/users/management/commands/example_stops_reading.py",
            "self.stdout.write(",
            "self.stdout.write('not yet' or ",
        ),
    ),
    correct(
        "limits.stops-reading",
        "it uses print",
        Edit(
            "backend/users/management/commands/example_stops_reading.py",
            "self.stdout.write(",
            "print(",
        ),
    ),
    broken(
        "limits.refused",
        "there is no such command",
        Edit("backend/users/management/commands/example_refused.py", None, None),
    ),
    broken(
        "limits.refused",
        "it says something else",
        Edit(
            "backend/users/management/commands/example_refused.py",
            "self.stdout.write(",
            "self.stdout.write('not yet' or ",
        ),
    ),
    correct(
        "limits.refused",
        "it uses print",
        Edit(
            "backend/users/management/commands/example_refused.py",
            "self.stdout.write(",
            "print(",
        ),
    ),
]
