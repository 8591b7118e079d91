"""Run inside `manage.py shell`: types the blocks whose files are named on standard input.

What a block defines is there for the next one. doctest compares it line by line and prints
what differs. A block ends at the first line that differs: those after it mostly follow from
that one.
"""

import doctest
import sys
from pathlib import Path

names = {"__name__": "__main__"}
for line in sys.stdin:
    text = Path(line.rstrip("\n")).read_text("utf-8")
    block = doctest.DocTestParser().get_doctest(text, names, "block", None, 0)
    block.globs = names  # not its copy, which earlier functions would not see
    runner = doctest.DocTestRunner(
        verbose=False, optionflags=doctest.ELLIPSIS | doctest.FAIL_FAST
    )
    failed = runner.run(block, clear_globs=False).failed
    # What the player waits for: tools/player/player.py.
    print("-- typed:", "as shown" if not failed else "differs", flush=True)
