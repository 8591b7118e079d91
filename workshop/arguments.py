"""Arguments that several commands share."""

from __future__ import annotations

import argparse


def project_options(parser: argparse.ArgumentParser, *, python: bool) -> None:
    """Which project, and with `python` also which interpreter runs it."""
    parser.add_argument(
        "--project", metavar="DIR", help="the project to work on (default: workspace/)"
    )
    if python:
        parser.add_argument(
            "--python",
            metavar="EXE",
            help="the Python that runs the project (default: its own .venv, else the tutorial's)",
        )
