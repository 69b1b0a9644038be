"""Who may call: keys by header, or nobody but this machine."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import SettingsError
from ..settings import Settings
from .problems import respond

CALLER: Final = "bmad.caller"  # the key's name, in the scope of an authorised request
SHORT: Final = 16  # characters; what is shorter can be guessed
_WHERE: Final = "BMAD_API_KEYS"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")
EXEMPT: Final = frozenset({"/health", "/health/live", "/health/ready", "/health/startup"})
_MAX_HOSTS: Final = 256  # that are remembered; looking one up again costs a few µs
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Key:
    """A caller's name beside the SHA-256 of its key; the key itself is not kept."""

    name: str
    digest: bytes
    is_short: bool = False


def read_keys(settings: Settings) -> tuple[Key, ...]:
    """The keys of `BMAD_API_KEYS`. Raises SettingsError, which never repeats a key."""
    secret = settings.secrets.api_keys
    if secret is None:
        return ()
    keys = tuple(
        _key(entry.strip(), place)
        for place, entry in enumerate(secret.get_secret_value().split(","), start=1)
    )
    if len({key.name for key in keys}) != len(keys):
        raise SettingsError("two entries have the same name", where=_WHERE)
    return keys


def _key(entry: str, place: int) -> Key:
    name, separator, value = entry.partition(":")
    if not separator or not value:
        raise SettingsError(
            f"entry {place} should be name:<key> or name:sha256=<64 hex digits>", where=_WHERE
        )
    if "@" in name or "+" in name:
        raise SettingsError(
            f"entry {place}: tenants (@) and scopes (+) before the colon are not supported yet",
            where=_WHERE,
            hint="name:<key>; behind the colon all of it is the key",
        )
    if not _NAME.fullmatch(name):
        raise SettingsError(f"entry {place} has a name that does not fit", where=_WHERE)
    if not value.startswith("sha256="):
        digest = hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
        return Key(name, digest, is_short=len(value) < SHORT)
    match = _SHA256.fullmatch(value)
    if match is None:
        raise SettingsError(f"entry {place}: sha256= needs 64 hex digits", where=_WHERE)
    return Key(name, bytes.fromhex(match[1]))


def access(settings: Settings) -> list[str]:
    """Who may call, for the start-up report: one line, and a warning for each short key."""
    keys = read_keys(settings)
    if not keys:
        closed = "open to this machine only (no BMAD_API_KEYS)"
        return ["off: anyone who reaches it may call" if settings.server.auth == "off" else closed]
    names = ", ".join(key.name for key in keys)
    short = [
        f"{_WHERE}: the key of {key.name} has fewer than {SHORT} characters"
        for key in keys
        if key.is_short
    ]
    return [f"{len(keys)} key{'s' if len(keys) > 1 else ''} ({names})", *short]


@lru_cache(_MAX_HOSTS)
def is_loopback(host: str) -> bool:
    """Whether an address, or a host to bind to, is this machine's own."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def check_bind(settings: Settings) -> None:
    """Raise SettingsError when the service would be open to other machines by accident."""
    server = settings.server
    if is_loopback(server.host) or server.auth == "off" or settings.secrets.api_keys is not None:
        return
    raise SettingsError(
        f"listening on {server.host} without API keys would let anyone call the service",
        where=settings.host_from,
        hint="set BMAD_API_KEYS, or say BMAD_AUTH=off if something else guards it",
    )


class Auth:
    """Lets a request through when its key fits; without keys only callers of this machine."""

    def __init__(
        self,
        app: ASGIApp,
        keys: Sequence[Key],
        *,
        off: bool = False,
        exempt: Container[str] = EXEMPT,
    ) -> None:
        """`exempt` are the paths that are open to everyone."""
        self.app = app
        self.keys = tuple(keys)
        self.off = off
        self.exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in self.exempt:
            await self.app(scope, receive, send)
        elif self.keys:
            await self._with_key(scope, receive, send)
        elif self.off or _from_here(scope):
            await self.app(scope, receive, send)
        else:
            detail = "no API keys are set, so only this machine may call, as localhost"
            await respond(scope, 403, "forbidden", detail)(scope, receive, send)

    async def _with_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = self._caller(scope)
        if name is not None:
            scope[CALLER] = name
            await self.app(scope, receive, send)
            return
        detail = "send a key as Authorization: Bearer <key> or X-API-Key: <key>"
        headers = {"www-authenticate": "Bearer"}
        response = respond(scope, 401, "unauthorized", detail, headers=headers)
        await response(scope, receive, send)

    def _caller(self, scope: Scope) -> str | None:
        """The name of the key that was sent; None without exactly one that fits."""
        sent = [*_credentials(scope["headers"])]
        if len(sent) != 1:
            return None
        digest = hashlib.sha256(sent[0]).digest()
        found = None
        for key in self.keys:  # all of them, whichever fits: the time says nothing
            if hmac.compare_digest(key.digest, digest):
                found = key.name
        return found


def _credentials(headers: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    sent = []
    for name, value in headers:
        if name == b"x-api-key":
            sent.append(value)
        elif name == b"authorization":
            scheme, _, token = value.partition(b" ")
            sent.append(token.strip() if scheme.lower() == b"bearer" else b"")
    return sent


def _from_here(scope: Scope) -> bool:
    """A caller on loopback that also meant this machine.

    A web page can point a name of its own at 127.0.0.1 and so call from a visitor's
    browser; its requests carry that name as their host. No client means a Unix socket.
    """
    client = scope.get("client")
    if client is None:
        return True
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return is_loopback(client[0]) and all(_is_local_name(host) for host in hosts)


@lru_cache(_MAX_HOSTS)
def _is_local_name(host: bytes) -> bool:
    name = re.sub(r":[0-9]{1,5}\Z", "", host.decode("latin-1").lower())
    return name in _LOCAL_NAMES or is_loopback(name.strip("[]"))
