"""The real Redis and PostgreSQL that checks bring along, and the slow network between."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from checks.errors import EnvironmentFault
from checks.harness import services
from checks.harness.latency_proxy import LatencyProxy
from course import processes
from course.processes import free_port, listening, wait_until
from tests.clusters import SharedPostgres

pytestmark = pytest.mark.server

as_root = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0, reason="only root may not run PostgreSQL"
)


SYSTEM_POSTGRES = glob.glob("/usr/lib/postgresql/*/bin/initdb")


@pytest.fixture
def postgres():
    service = services.start_postgres()
    yield service
    service.stop()


@pytest.fixture
def own_redis(tmp_path):
    service = services.start_redis(tmp_path / "redis")
    yield service
    service.stop()


def test_redis_answers_at_its_url(own_redis):
    """Whoever gets the URL can store and read."""
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("key", "value")

        assert client.get("key") == b"value"


def test_redis_with_a_password_refuses_who_lacks_it(tmp_path):
    """Its URL carries the password, and an address alone lets nobody in."""
    service = services.start_redis(tmp_path, password="open-sesame")
    try:
        with redis.Redis.from_url(service.url) as client:
            assert client.ping()
        refused = pytest.raises(redis.AuthenticationError)
        with redis.Redis(port=service.port) as client, refused:
            client.ping()
    finally:
        service.stop()


def test_postgres_answers_at_its_url(postgres):
    """It takes statements as soon as it is said to be there, as nobody's superuser."""
    with psycopg.connect(postgres.url) as connection:
        version = connection.execute("SHOW server_version_num").fetchone()

    assert int(version[0]) >= 140000


def test_two_of_each_do_not_meet(postgres, own_redis, tmp_path):
    """Every run has its own: neither port nor data are shared."""
    other = services.start_redis(tmp_path / "other")
    another = services.start_postgres()
    try:
        with redis.Redis.from_url(own_redis.url) as client:
            client.set("key", "value")
        with redis.Redis.from_url(other.url) as client:
            assert client.get("key") is None
        assert another.port != postgres.port
    finally:
        other.stop()
        another.stop()


def test_databases_of_one_cluster_do_not_meet():
    """What runs of our own tests share is the server: each database is new, and goes again."""
    shared = SharedPostgres()
    try:
        one, other = shared(), shared()
        with psycopg.connect(one.url) as connection:
            connection.execute("CREATE TABLE mine (id int)")
        with psycopg.connect(other.url) as connection:
            [found] = connection.execute("SELECT to_regclass('mine')").fetchone()
        assert found is None

        one.stop()

        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(one.url)
        assert listening(other.port)
    finally:
        shared.close()
    assert not listening(other.port)


def test_stop_leaves_nothing_behind():
    """No process, no folder, no shared memory."""
    service = services.start_postgres()
    cluster = service.folder
    segment = (cluster / "data" / "postmaster.pid").read_text().splitlines()[6].split()[-1]

    service.stop()

    assert not listening(service.port)
    assert not cluster.exists()
    assert segment not in _segments()


def test_services_end_with_the_tool():
    """A tool that is killed takes its services along."""
    code = (
        "from checks.harness import services; import pathlib, tempfile, sys\n"
        "made = services.start_redis(pathlib.Path(tempfile.mkdtemp())), services.start_postgres()\n"
        "print(*[service.port for service in made], made[1].folder, flush=True)\n"
        "sys.stdin.read()\n"
    )
    tool = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    *ports, cluster = tool.stdout.readline().split()

    tool.kill()
    tool.communicate()

    gone = wait_until(lambda: not any(listening(int(port)) for port in ports), seconds=10)
    shutil.rmtree(cluster, ignore_errors=True)
    assert gone


def test_port_is_given_once(monkeypatch):
    """Of few ports, each call gives another one: the others are marked as taken."""
    first = free_port()
    monkeypatch.setattr(processes, "_PORTS", (first, first + 30))

    ports = [first, *(free_port() for _ in range(10))]

    assert len(set(ports)) == len(ports)


def test_taken_port_is_said(tmp_path):
    """A port that somebody has is the environment's fault, in words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        with pytest.raises(EnvironmentFault, match="Redis did not start on port"):
            services.start_redis(tmp_path, port=taken.getsockname()[1])


@pytest.mark.parametrize(
    ("found", "start"),
    [
        ("redis_executable", lambda: services.start_redis(Path("never"))),
        ("postgres_folder", services.start_postgres),
    ],
)
def test_missing_service_says_what_to_install(found, start, monkeypatch):
    """A machine without one is no reason to fail a learner."""
    monkeypatch.setattr(services, found, lambda: None)

    with pytest.raises(EnvironmentFault) as fault:
        start()

    assert "install" in fault.value.todo


@pytest.fixture
def postgres_with_tls(monkeypatch):
    """One that was built with OpenSSL: the system's, where the wheel's was not."""
    folders = [Path(name).parent for name in sorted(SYSTEM_POSTGRES, reverse=True)]
    if not folders:
        pytest.skip("no PostgreSQL of the system is here; the wheels' know no TLS")
    monkeypatch.setattr(services, "postgres_folder", lambda: folders[0])
    service = services.start_postgres()
    yield service
    service.stop()


def test_postgres_offers_tls(postgres_with_tls):
    """A project that requires TLS, as many do on a host, can connect here as well."""
    with psycopg.connect(f"{postgres_with_tls.url}?sslmode=require") as connection:
        [used] = connection.execute(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()

    assert used


@as_root
def test_postgres_runs_from_a_private_folder(tmp_path, monkeypatch):
    """An installation below /root is copied to where an unprivileged user can run it."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    package = services.postgres_folder().parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, private / part.name, symlinks=True)
    moved = private / services.postgres_folder().relative_to(package.parent)
    monkeypatch.setattr(services, "postgres_folder", lambda: moved)

    service = services.start_postgres()

    with psycopg.connect(service.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    service.stop()


@as_root
def test_private_temporary_folder_is_said(tmp_path, monkeypatch):
    """Where an unprivileged user can reach nothing, the fault says what to do."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(private))

    with pytest.raises(EnvironmentFault) as fault:
        services.start_postgres()

    assert "TMPDIR" in fault.value.todo


def test_link_delays_answers_only(own_redis):
    """What comes back is late by the delay, and nothing is lost or mixed up."""
    link = LatencyProxy(own_redis.port, delay=0.1).start()
    try:
        with redis.Redis(port=link.port) as client:
            client.ping()
            start = time.monotonic()
            values = [client.incr("count") for _ in range(3)]

        assert values == [1, 2, 3]
        assert time.monotonic() - start >= 0.3
    finally:
        link.close()


def test_link_without_a_target_hangs_up():
    """Nobody behind the link looks like nobody there."""
    link = LatencyProxy(free_port(), delay=0.1).start()
    try:
        with socket.create_connection(("127.0.0.1", link.port), timeout=5) as client:
            assert client.recv(1) == b""
    finally:
        link.close()


def _segments() -> set[str]:
    """The ids of the shared memory on this machine, where the system lists it."""
    table = Path("/proc/sysvipc/shm")
    lines = table.read_text().splitlines()[1:] if table.exists() else []
    return {line.split()[1] for line in lines}
