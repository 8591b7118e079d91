"""Tokens that a check forges: made with any key that the settings name, or left out."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from checks.harness.people import Person, expired, forged

SECRET = "a-secret-that-is-long-enough-for-hs512-0123456789-abcdefghijklmnopqrst"
OTHER = "another-key-than-the-server-has-0123456789-abcdefghijklmnopqrstuvwxyz-0"


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


CURVE = ec.derive_private_key(987654321, ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {
    "HS256": (SECRET, SECRET),
    "HS512": (SECRET, SECRET),
    "ES256": (pem(CURVE), CURVE.public_key()),
    "RS256": (pem(RSA), RSA.public_key()),
}


def alice(access):
    return Person(1, "alice", "alice@example.com", "secret", access, access)


@pytest.fixture(params=KEYS)
def signed(request):
    """Alice with a token of that algorithm, the settings' facts, and what verifies it."""
    key, public = KEYS[request.param]
    claims = {"user_id": 1, "exp": int(time.time()) + 600}
    person = alice(jwt.encode(claims, key, algorithm=request.param))
    return person, {"jwt": {"key": key}}, public, request.param


def test_expired_token_is_signed_and_over(signed):
    """The expired token of any algorithm fails for its end and for nothing else."""
    person, facts, public, algorithm = signed

    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(expired(person, facts), public, algorithms=[algorithm])


def test_stranger_signs_with_another_key(signed):
    """The forged token of any algorithm is refused for its signature, and is a JWT."""
    person, facts, public, algorithm = signed

    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(forged(person, facts, key=OTHER), public, algorithms=[algorithm])


@pytest.mark.parametrize("token", ["opaque", "1.17123.signature", "a:b:c", "", "é"])
def test_token_that_is_no_jwt_is_left_alone(token):
    """What is not a JWT is not ours to forge."""
    facts = {"jwt": {"key": SECRET}}

    assert forged(alice(token), facts, key=OTHER) is None
    assert expired(alice(token), facts) is None


@pytest.mark.parametrize(
    "facts", [{}, {"jwt": {"key": OTHER}}, {"jwt": {"key": "<object>"}}]
)
def test_key_that_did_not_sign_makes_nothing(facts, signed):
    """An expired token with a wrong signature would prove nothing."""
    assert expired(signed[0], facts) is None
