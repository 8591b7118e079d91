"""Asks Django what a backend offers: its endpoints, and the variables that it reads.

`python -m tools.site.introspection` is a program of its own, because a process can set up
Django once only; tools.site.backend starts it. It knows no module of any backend: what there
is comes from the URL resolver, from Django REST framework, and from a record of what was
read out of the environment.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """One method of one address; `body` are the fields that a request may hold."""

    method: str
    address: str
    does: str
    body: tuple[str, ...] = ()
    needs_token: bool = False


@dataclass(frozen=True)
class Variable:
    """One environment variable: its default, and what is said if production lacks it."""

    name: str
    default: str
    demanded: str = ""
