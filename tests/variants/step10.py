"""Projects that prove the items of step 10."""

from tests.variants import Edit, broken, correct

VARIANTS = [
    broken(
        "tickets.ticket",
        "there is no such command",
        Edit("backend/users/management/commands/example_ticket.py", None, None),
    ),
    broken(
        "tickets.ticket",
        "it says something else",
        Edit(
            "backend/users/management/commands/example_ticket.py",
            "self.stdout.write(",
            "self.stdout.write('not yet' or ",
        ),
    ),
    correct(
        "tickets.ticket",
        "it uses print",
        Edit(
            "backend/users/management/commands/example_ticket.py",
            "self.stdout.write(",
            "print(",
        ),
    ),
    broken(
        "tickets.origins",
        "there is no such command",
        Edit("backend/users/management/commands/example_origins.py", None, None),
    ),
    broken(
        "tickets.origins",
        "it says something else",
        Edit(
            "backend/users/management/commands/example_origins.py",
            "self.stdout.write(",
            "self.stdout.write('not yet' or ",
        ),
    ),
    correct(
        "tickets.origins",
        "it uses print",
        Edit(
            "backend/users/management/commands/example_origins.py",
            "self.stdout.write(",
            "print(",
        ),
    ),
]
