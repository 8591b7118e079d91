"""Which origins are allowed: the same for sockets and, by CORS, for HTTP."""

import pytest

from numeneon.origins import is_allowed

APP = "https://app.example"
HOST = "numeneon.example"


@pytest.fixture(autouse=True)
def production(settings):
    """One host, one other site, and TLS that ends in front of the server."""
    settings.ALLOWED_HOSTS = [HOST]
    settings.ALLOWED_ORIGINS = settings.CORS_ALLOWED_ORIGINS = [APP]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def handshake(*origins, host=HOST, proto="https", scheme="ws"):
    """A handshake as it arrives behind Render's proxy."""
    headers = [(b"host", host.encode()), (b"x-forwarded-proto", proto.encode())]
    headers += [(b"origin", origin.encode()) for origin in origins]
    # A query in no encoding at all: it must not matter.
    rest = {"path": "/", "query_string": b"\xff", "scheme": scheme}
    return {"type": "websocket", "headers": headers, **rest}


@pytest.mark.parametrize("origin", [APP, f"https://{HOST}"])
def test_allowed_origin(origin):
    """The server's own pages, and each origin in the list."""
    assert is_allowed(handshake(origin))


def test_no_origin_is_no_browser():
    """A client that sends no origin has to bring credentials of its own."""
    assert is_allowed(handshake())


STRANGERS = [
    "http://app.example",
    "https://app.example:8443",
    "https://www.app.example",
    "https://example",
    "https://evil-app.example",
    "https://app.example.evil.example",
    "https://app.example@evil.example",
    "https://evil.example",
    f"http://{HOST}",
    f"https://{HOST}:8443",
    f"https://www.{HOST}",
    "null",
    "*",
    "",
]


@pytest.mark.parametrize("origin", STRANGERS)
def test_other_origin_is_refused(origin):
    """A scheme, a port or a part of the name that differs is another origin."""
    assert not is_allowed(handshake(origin))


def test_two_origins_are_refused():
    """No browser sends two."""
    assert not is_allowed(handshake("https://evil.example", APP))


def test_own_origin_needs_an_allowed_host():
    """A site whose name leads to this server is not this server's own."""
    evil = "evil.example"

    assert not is_allowed(handshake(f"https://{evil}", host=evil))


@pytest.mark.parametrize(("scheme", "origin"), [("ws", "http"), ("wss", "https")])
def test_own_origin_has_the_scheme_of_the_socket(settings, scheme, origin):
    """Without a proxy the socket itself is secure or not."""
    settings.SECURE_PROXY_SSL_HEADER = None
    settings.DEBUG, settings.ALLOWED_HOSTS = True, []
    socket = handshake(
        f"{origin}://127.0.0.1:8001", host="127.0.0.1:8001", scheme=scheme
    )

    assert is_allowed(socket)


@pytest.mark.parametrize("origin", STRANGERS)
def test_cors_agrees(client, origin):
    """A page that may open no socket may read no answer of the API either."""
    for allowed, wanted in ((origin, None), (APP, APP)):
        headers = {"Origin": allowed, "Access-Control-Request-Method": "POST"}
        answer = client.options("/api/v1/ws/ticket/", headers=headers)

        assert answer.get("Access-Control-Allow-Origin") == wanted


def test_cors_is_for_the_api_only(client):
    """Other sites read nothing of the admin, whose users have a session cookie."""
    answer = client.get("/admin/login/", headers={"Origin": APP, "Host": HOST})

    assert "Access-Control-Allow-Origin" not in answer
