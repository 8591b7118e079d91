"""The project under Daphne with TLS: a certificate of our own, and clients that trust it."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from checks.harness.client import Socket
from checks.harness.harness import Harness
from checks.harness.servers import LOCAL, Server, serve
from course import contract
from course.deadline import patient

if TYPE_CHECKING:
    import httpx


# Daphne does not tell an application that a socket came over TLS, so that its own pages have
# to be named: this is the origin that ours has in ALLOWED_ORIGINS.
PAGE = "https://secure.example:8443"


@dataclass(frozen=True)
class SecureServer:
    """A server, and how to reach it: over https and wss only."""

    server: Server
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://{LOCAL}:{self.server.port}"

    @property
    def trust(self) -> ssl.SSLContext:
        """What trusts its certificate and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def client(self) -> httpx.Client:
        """An HTTP client that speaks HTTP/2 where the server does."""
        import httpx

        return httpx.Client(
            http2=True,
            base_url=self.url,
            verify=self.trust,
            trust_env=False,
            timeout=patient(10),
        )

    def socket(self, token: str, origin: str) -> Socket:
        """A WebSocket, opened with that access token, by a page of that origin."""
        way = "header"
        return Socket.open(
            contract.address_of(f"wss://{LOCAL}:{self.server.port}", token, way),
            origin=origin,
            headers=contract.headers_of(token, way),
            tls=self.trust,
        )


def secure_server(harness: Harness) -> SecureServer:
    """`daphne -e ssl:...`, which speaks HTTP/2 if Twisted can."""
    return harness.once("daphne with TLS", lambda: _serve(harness))


def _serve(harness: Harness) -> SecureServer:
    key, certificate = _self_signed(harness.folder)
    endpoint = "ssl:{port}:" + f"privateKey={_escaped(key)}:certKey={_escaped(certificate)}"
    argv = ["-m", "daphne", "-v", "0", "-e", f"{endpoint}:interface={LOCAL}"]
    env = harness.env(caches=True, variables={"ALLOWED_ORIGINS": PAGE})
    server = serve(harness, "daphne with TLS", [*argv, harness.project.asgi], env)
    return SecureServer(server, certificate)


def _escaped(path: Path) -> str:
    """A path in a description of Twisted's, whose parts end with a colon."""
    return path.as_posix().replace(":", r"\:")


def _self_signed(folder: Path) -> tuple[Path, Path]:
    """A key, and a certificate for this machine that nobody else vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOCAL))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = folder / "key.pem", folder / "cert.pem"
    for file, text in zip(files, (secret, made.public_bytes(pem)), strict=True):
        file.write_bytes(text)
    return files
