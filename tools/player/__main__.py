"""`python -m tools.player [PAGE...]`."""

import sys

from tools.player.player import main

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
