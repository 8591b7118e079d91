"""`python -m workshop`: the command, for those who prepared an environment themselves."""

import sys

from workshop.cli import main

sys.exit(main())
