"""`python -m workshop`: the command, for those who prepared an environment themselves."""

import sys

from workshop.interruption import main

sys.exit(main())
