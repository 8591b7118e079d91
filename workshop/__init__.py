"""The command around the checks: start, check, hint, diff, catch-up, run, and the rest."""
