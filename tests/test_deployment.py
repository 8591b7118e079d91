"""`check 6 --url`: a deployment is judged from outside, and no other address is asked."""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import course
from checks.harness import client
from checks.report import line
from checks.results import Report, Status
from checks.runner import Session
from course.processes import Process, free_port, listens, start_on_free_port

# In one worker: they share a database.
pytestmark = [pytest.mark.server, pytest.mark.xdist_group("deployment")]

PASSWORD = "Sunny-meadow-42"
LOGINS = [("alice@example.com", PASSWORD), ("bob@example.com", PASSWORD)]
STEP = course.step(6)
DATABASE = "db.sqlite3"


class Deployment:
    """The last step, served on this machine as a host would, with alice and bob in it."""

    def __init__(
        self, folder: Path, database: Path, *, middleware: str = "", tls: Path | None = None
    ) -> None:
        write_settings(folder, middleware)
        shutil.copyfile(database, folder / database.name)
        options = ["--ssl-certfile", tls, "--ssl-keyfile", tls] if tls else []
        argv = [sys.executable, "-m", "uvicorn", "--lifespan", "off", *map(str, options)]

        def start(port: int) -> Process:
            return Process(
                [*argv, "--port", str(port), "numeneon.asgi:application"],
                cwd=STEP.folder / "backend",
                env=environment(folder),
            )

        self.process, self.port, up = start_on_free_port(start, listens)
        assert up, self.process.log()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def messages(self, email: str) -> list[str]:
        """What is in that person's messages."""
        login = {"email": email, "password": PASSWORD}
        access = client.request(self.port, "POST", "/api/auth/login/", body=login).get(
            "access"
        )
        rows = client.request(self.port, "GET", "/api/messages/", token=access).rows
        return [row["content"] for row in rows]


MIDDLEWARE = """
from django.http import HttpResponsePermanentRedirect
import os

def elsewhere(get_response):
    return lambda request: HttpResponsePermanentRedirect(
        f"http://127.0.0.1:{os.environ['ELSEWHERE']}{request.path}"
    )

def silent(get_response):
    from notifications import events
    events.publish = lambda **event: None
    return get_response
"""


def write_settings(folder: Path, middleware: str = "") -> None:
    """Make the settings of a deployment, with one of the functions of MIDDLEWARE in front."""
    text = "from numeneon.settings import *\n"
    # Their passwords are not what is judged: slow hashing would be half of each test.
    text += "PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']\n"
    if middleware:
        text += f"MIDDLEWARE = ['deployed.{middleware}', *MIDDLEWARE]\n"
    (folder / "deployed_settings.py").write_text(text)
    (folder / "deployed.py").write_text(MIDDLEWARE)


def environment(folder: Path) -> dict[str, str]:
    """The variables of a deployment whose settings and database are in that folder."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "deployed_settings",
        "PYTHONPATH": os.pathsep.join([str(folder), str(STEP.folder / "backend")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE_URL": f"sqlite:///{folder / DATABASE}",
        "SECRET_KEY": "a-key-of-a-deployment-for-tests-0123456789-abcdef",
    }


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with alice and bob in it, made once: to make it takes longer than a test."""
    folder = tmp_path_factory.mktemp("deployed")
    write_settings(folder)
    for command in (["migrate", "-v", "0"], ["seed_demo", "--password", PASSWORD]):
        subprocess.run(
            [sys.executable, "-m", "django", *command],
            cwd=folder,
            env=environment(folder),
            check=True,
            capture_output=True,
        )
    return folder / DATABASE


@pytest.fixture
def deploy(tmp_path: Path, database: Path) -> Iterator[object]:
    """Makes a deployment; ends it after the test."""
    made: list[Deployment] = []

    def make(**options: object) -> Deployment:
        made.append(Deployment(tmp_path, database, **options))
        return made[-1]

    yield make
    for deployment in made:
        deployment.process.kill()


def judge(url: str, logins: list[tuple[str, str]]) -> Report:
    with Session(STEP.folder) as session:
        return session.run(STEP.number, url=url, logins=logins)


def states(report: Report) -> dict[str, str]:
    return {result.id: str(result.status) for result in report.items}


def test_deployment_passes_and_gets_one_message(deploy):
    """A working deployment passes every live item; one message is all that stays there."""
    deployment = deploy()
    before = deployment.messages("alice@example.com")

    report = judge(deployment.url, LOGINS)

    assert report.status is Status.PASSED, "\n".join(map(line, report.items))
    assert set(states(report)) == {"live.health", "live.login", "live.socket", "live.event"}
    assert len(deployment.messages("alice@example.com")) == len(before) + 1


def test_wrong_password_fails_the_login(deploy):
    """The answer is shown, the password is not."""
    report = judge(deploy().url, [LOGINS[0], ("bob@example.com", "not-bobs-word")])

    failure = next(r for r in report.items if r.status is Status.FAILED)
    assert failure.id == "live.login"
    assert "answered 401" in failure.message
    assert "not-bobs-word" not in failure.message
    assert states(report)["live.event"] == "blocked"


def test_missing_logins_are_asked_for(deploy):
    """Without two accounts nobody is told that their code fails."""
    report = judge(deploy().url, LOGINS[:1])

    assert report.status is Status.ENVIRONMENT
    assert "two accounts" in next(r.message for r in report.items if r.message)


def test_event_that_never_comes_fails_the_event(deploy):
    """The socket is greeted, the message is stored, and no event follows."""
    report = judge(deploy(middleware="silent").url, LOGINS)

    failed = [r.id for r in report.items if r.status is Status.FAILED]
    assert failed == ["live.event"], "\n".join(map(line, report.items))


def test_redirect_to_another_host_is_not_followed(deploy, monkeypatch):
    """Only the address that was given is asked."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        monkeypatch.setenv("ELSEWHERE", str(other.getsockname()[1]))
        report = judge(deploy(middleware="elsewhere").url, LOGINS)

        assert states(report)["live.health"] == "failed"
        with pytest.raises(BlockingIOError):
            other.accept()


def test_nobody_at_the_address_is_a_failure():
    """A deployment that does not answer is named with its address."""
    report = judge(f"http://127.0.0.1:{free_port()}", LOGINS)

    assert states(report)["live.health"] == "failed"


def test_certificate_is_verified(deploy, tmp_path, monkeypatch):
    """HTTPS and wss pass with a trusted certificate, and fail with one nobody vouches for."""
    certificate = self_signed(tmp_path)
    deployment = deploy(tls=certificate)

    assert states(judge(deployment.url, LOGINS))["live.health"] == "failed"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    report = judge(deployment.url, LOGINS)
    assert report.status is Status.PASSED, "\n".join(map(line, report.items))


def self_signed(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
