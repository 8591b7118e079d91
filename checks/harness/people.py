"""Users made through the project's own API, and the tokens they hold or forge."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

from checks.errors import NotYet
from checks.harness.harness import Harness
from checks.harness.recorder import aside
from checks.harness.servers import Server, need


@dataclass(frozen=True)
class Person:
    """A user made through the public API, with fresh tokens."""

    id: int
    username: str
    email: str
    password: str
    access: str
    refresh: str


def signed_up(harness: Harness, server: Server, name: str) -> Person:
    """The user of that name, signed up and logged in through the API of a server."""
    with aside():
        return harness.once(f"person {name}", lambda: _join(harness, server, name))


def _join(harness: Harness, server: Server, name: str) -> Person:
    if not server.proxy_headers:  # production has migrated a database of its own
        harness.database()  # a server without tables answers with 500
    password = "Sunny-meadow-42"
    email = f"{name}@example.com"
    body = {
        "username": name,
        "email": email,
        "password": password,
        "display_name": name,
    }
    signup = server.ask("POST", "/api/auth/signup/", body=body)
    if signup.status != 201:
        # Whatever needs a user fails for this one reason, the first that was seen.
        harness.once(f"why nobody signs up at {server.name}", lambda: need(signup, 201))
    login = server.ask(
        "POST", "/api/auth/login/", body={"email": email, "password": password}
    )
    need(login, 200)
    id_, access, refresh = signup.get("id"), login.get("access"), login.get("refresh")
    if not (isinstance(access, str) and isinstance(refresh, str)):
        raise NotYet(str(login), expected="login answers with access and refresh")
    if id_ is None:
        id_ = server.ask("GET", "/api/auth/me/", token=access).get("id")
    return Person(id_, name, email, password, access, refresh)


def befriend(server: Server, asker: Person, other: Person) -> None:
    """Make two people friends through the API."""
    asked = server.ask("POST", f"/api/friends/request/{other.id}/", token=asker.access)
    need(asked, 201)
    accepted = server.ask(
        "POST", f"/api/friends/accept/{asked.get('id')}/", token=other.access
    )
    need(accepted, 200)


def forged(
    person: Person, facts: dict[str, Any], *, key: str | None = None, **claims: Any
) -> str | None:
    """That person's access token with other claims, or with a signature of somebody else's.

    `key` is the other signer's; where the algorithm has no such keys, some bits of the
    signature are changed instead. None if that is not ours to forge: the token is no JWT,
    or the key in the settings' facts is not the one that signed it.
    """
    import jwt

    # The length of the project's key is no news of this check, and not ours to print.
    warnings.filterwarnings("ignore", message="The HMAC key is")
    try:
        header = jwt.get_unverified_header(person.access)
        body = jwt.decode(person.access, options={"verify_signature": False}) | claims
    except jwt.InvalidTokenError:
        return None
    algorithm = header["alg"]
    if key is not None and not algorithm.startswith("HS"):
        return altered(person.access)
    own = facts.get("jwt", {}).get("key", "")
    if key is None and not _signs(own, algorithm, person.access):
        return None
    kept = {name: value for name, value in header.items() if name not in ("alg", "typ")}
    return jwt.encode(body, key or own, algorithm=algorithm, headers=kept)


def life_of_token(person: Person) -> int | None:
    """For how many seconds that person's access token is accepted; None if it does not say."""
    import jwt

    try:
        claims = jwt.decode(person.access, options={"verify_signature": False})
        return int(claims["exp"] - claims["iat"])
    except (jwt.InvalidTokenError, KeyError):
        return None


def _signs(key: str, algorithm: str, token: str) -> bool:
    """Whether that key signed the token; a private key knows its public one."""
    import jwt

    try:
        prepared = jwt.get_algorithm_by_name(algorithm).prepare_key(key)
        public = getattr(prepared, "public_key", lambda: prepared)()
        jwt.decode(
            token,
            public,
            algorithms=[algorithm],
            options={"verify_exp": False, "verify_aud": False, "verify_iss": False},
        )
    except Exception:  # noqa: BLE001 - a key of any kind, and of libraries that are not here
        return False
    return True


def altered(token: str) -> str:
    """A token with another letter in its last third: in the signature, if it has one."""
    spot = len(token) - max(len(token) // 8, 1)
    return token[:spot] + ("A" if token[spot] != "A" else "B") + token[spot + 1 :]


def expired(person: Person, facts: dict[str, Any]) -> str | None:
    """That person's access token as it would be an hour after its end; None as forged()."""
    now = int(time.time())
    return forged(person, facts, iat=now - 7200, exp=now - 3600)
