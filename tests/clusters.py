"""One PostgreSQL for many runs of a checklist, and a database of its own for each."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psycopg

from checks.harness.services import Service, start_postgres


class SharedPostgres:
    """What a Session asks for a PostgreSQL: to make a cluster costs half a second of the
    processor, a database in one that runs next to nothing."""

    def __init__(self) -> None:
        self._cluster: Service | None = None
        self._numbers = itertools.count(1)

    def __call__(self) -> Service:
        """An empty database; it is dropped when it is stopped. Raises EnvironmentFault."""
        if self._cluster is None:
            self._cluster = start_postgres()
        name = f"run_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        # With what is still connected: servers of the run that are just ending.
        drop = partial(self._execute, f"DROP DATABASE {name} WITH (FORCE)")
        url = f"{self._cluster.url.rpartition('/')[0]}/{name}"
        return _Database(url, self._cluster.port, self._cluster.process, drop=drop)

    def _execute(self, statement: str) -> None:
        assert self._cluster
        with psycopg.connect(self._cluster.url, autocommit=True) as connection:
            connection.execute(statement)

    def close(self) -> None:
        """End the cluster."""
        if self._cluster:
            self._cluster.stop()


@dataclass
class _Database(Service):
    drop: Callable[[], None] = lambda: None

    def stop(self) -> None:
        """Only this database goes."""
        self.drop()
