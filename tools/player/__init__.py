"""Executes the pages as a learner would."""
