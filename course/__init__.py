"""The ground floor: what the course is, and what every other package builds on.

Imports nothing of ours. `import course` gives the list of steps.
"""

from course.outline import ROOT, Step, UnknownStep, page_file, step, steps

__all__ = ["ROOT", "Step", "UnknownStep", "page_file", "step", "steps"]
