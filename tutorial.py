"""The one command: `python3 tutorial.py` prepares everything, then says what to do next.

This file must be understood by any Python, however old, for long enough to say which one it
needs: no annotations and no f-strings here.
"""

import os
import sys

NEEDED = (3, 11)


def refusal(version):
    """What to say to somebody with this Python (a version tuple); None if it will do."""
    if tuple(version[:2]) >= NEEDED:
        return None
    return (
        "The tutorial needs Python {0}.{1} or newer; this is {2}.{3} ({4}).\n"
        "Install a newer one from https://www.python.org/downloads/ and start again with it, "
        "for example: python{0}.{1} tutorial.py".format(
            NEEDED[0], NEEDED[1], version[0], version[1], sys.executable
        )
    )


def main():
    """Hand over to the workshop package. Returns the exit status."""
    refused = refusal(sys.version_info)
    if refused:
        sys.stderr.write(refused + "\n")
        return 3
    try:
        from workshop.venv import bootstrap

        return bootstrap.main(os.path.dirname(os.path.abspath(__file__)), sys.argv[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
