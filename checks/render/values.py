"""What Render, or a person in its dashboard, would put into the variables of a blueprint."""

from __future__ import annotations

import base64
import re
import secrets
from typing import Any
from urllib.parse import SplitResult, urlsplit

_DATABASE = {"DATABASE", "DB", "POSTGRES", "POSTGRESQL", "PG", "SQL"}
_REDIS = {"REDIS", "VALKEY", "KEYVALUE"}
_MAIL = {"EMAIL", "MAIL", "SMTP"}
_SECRET = {"SECRET", "PASSWORD", "PASS", "PWD", "TOKEN", "KEY"}
# The last word of a name, and what the part of an address is called that it asks for.
_PARTS = {
    "URL": "whole",
    "URI": "whole",
    "DSN": "whole",
    "HOST": "host",
    "HOSTNAME": "host",
    "SERVER": "host",
    "PORT": "port",
    "USER": "user",
    "USERNAME": "user",
    "PASSWORD": "password",
    "PASS": "password",
    "NAME": "database",
    "DB": "database",
    "DATABASE": "database",
}
_NUMBERS = {"TIMEOUT", "SECONDS", "MINUTES", "HOURS", "DAYS", "AGE", "LIFETIME"} | {
    *("SIZE", "LIMIT", "COUNT", "MAX", "MIN", "WORKERS")
}
_SWITCHES = {"USE", "ENABLE", "ENABLED", "TLS", "SSL"}


def generated() -> str:
    """A value as `generateValue` gives it: 256 random bits in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def value_of(
    entry: dict[str, Any], database_url: str, redis_url: str, hostname: str
) -> str | None:
    """What Render would put into a variable; None if its value is not in the blueprint."""
    if "fromDatabase" in entry:
        wanted = entry["fromDatabase"]["property"]
        return part_of(urlsplit(database_url), wanted)
    if "fromService" in entry:
        source = entry["fromService"]
        if source["type"] in ("keyvalue", "redis"):
            return part_of(urlsplit(redis_url), source.get("property"))
        return hostname
    return str(entry["value"]) if "value" in entry else None


def part_of(url: SplitResult, wanted: object) -> str:
    """The `host`, `port`, ... of an address, or all of it."""
    parts = {
        "host": url.hostname or "",
        "port": str(url.port),
        "hostport": f"{url.hostname}:{url.port}",
        "user": url.username or "",
        "password": url.password or "",
        "database": url.path[1:],
    }
    return parts.get(str(wanted)) or url.geturl()


def is_of_database(key: str) -> bool:
    """Whether a variable of that name says where a database is."""
    words = _words_of(key)
    return bool(_DATABASE & set(words)) and (len(words) == 1 or words[-1] in _PARTS)


def entered(
    key: str, database_url: str, redis_url: str, hostname: str, anything: str
) -> str:
    """What a person might enter for a variable with `sync: false`: its name has to tell.

    `anything` is the text for a secret, and where the name tells nothing.
    """
    words = _words_of(key)
    last, all_words = words[-1], set(words)
    for names, url in ((_DATABASE, database_url), (_REDIS, redis_url)):
        if names & all_words and (len(words) == 1 or last in _PARTS):
            return part_of(urlsplit(url), "whole" if len(words) == 1 else _PARTS[last])
    if last in _SECRET:
        return anything
    if _MAIL & all_words and (found := _of_mail(last)):
        return found
    if all_words & {"HOST", "HOSTS", "HOSTNAME", "DOMAIN", "DOMAINS"}:
        return hostname
    if all_words & {"ORIGIN", "ORIGINS", "URL", "URLS"}:
        return f"https://{hostname}"
    if all_words & _NUMBERS:
        return "60"
    return _of_last_word(last, all_words) or anything


def _of_mail(last: str) -> str | None:
    known = {"HOST": "mail.example.com", "PORT": "587", "URL": "smtp://mail.example.com"}
    if last in known:
        return known[last]
    people = {"EMAIL", "MAIL", "FROM", "ADDRESS", "USER", "USERNAME", "SENDER", "ADMIN"}
    return "someone@example.com" if last in people else None


def _of_last_word(last: str, words: set[str]) -> str | None:
    known = {
        "DEBUG": "false",
        "PORT": "8443",
        "DSN": "https://public@errors.example.com/1",
        "LEVEL": "INFO",
        "ENVIRONMENT": "production",
        "ENV": "production",
    }
    if last in known:
        return known[last]
    return "true" if words & _SWITCHES else None


def _words_of(key: str) -> list[str]:
    """The words of a variable's name; libpq's own, PGHOST and the like, are two."""
    key = re.sub(r"^PG(?=[A-Z]+$)", "PG_", key.upper())
    return [word for word in re.split(r"[^A-Z0-9]+", key) if word] or [key]
