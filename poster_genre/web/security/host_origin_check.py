"""What stands in front of every path: who may ask, and how a browser is to treat the answers."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from poster_genre.web.problem_details import Problem

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Checks Host and Origin, and puts the security headers on every answer.

    ``hosts`` are the names that the server may be called by, without a port; None: any. On a loopback address
    they keep out pages of other sites whose name was pointed at this machine (DNS rebinding). A request that
    changes or computes something must come from no page or from our own (cross-site request forgery).
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        problem = self.refusal(scope["method"], Headers(scope=scope))
        if problem is None:
            await self.app(scope, receive, send_guarded)
        else:
            await problem.response()(scope, receive, send_guarded)

    def refusal(self, method: str, headers: Headers) -> Problem | None:
        host = headers.get("host", "")
        if self.hosts is not None and name_of(host) not in self.hosts:
            return Problem(421, "this server does not go by that name; see --allow-host")
        if method in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        if foreign or headers.get("sec-fetch-site") == "cross-site":
            return Problem(403, "requests from the pages of other sites are not answered")
        return None


def from_own_page(headers: Headers) -> bool:
    """Whether a browser says that one of our own pages asks. (A program may say so too: it gains a place.)"""
    return headers.get("sec-fetch-site") == "same-origin"


def name_of(host: str) -> str | None:
    """The name in a Host header, in small letters and without its port; None for nonsense."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname if parts.netloc == host and parts.username is None else None
    except ValueError:
        return None


def hosts_for(address: str, also: Collection[str] = ()) -> set[str] | None:
    """The names that a server bound to ``address`` answers to; None, any, where it serves a network."""
    if address.lower() not in LOOPBACK:
        return None if not also else {name.lower() for name in (*LOOPBACK, address, *also)}
    return {name.lower() for name in (*LOOPBACK, *also)}
