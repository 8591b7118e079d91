"""Judges a learner's project: one checklist a step, run on the learner's own files."""
