"""Refuses requests for another host (DNS rebinding) and from pages of other sites (CSRF)."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from poster_genre.web.problem_details import Problem

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class HostOriginCheck:
    """ASGI middleware that checks the headers Host, Origin and Sec-Fetch-Site.

    ``hosts`` are the host names that the server answers to, without a port; None: any. On a loopback address
    they keep out pages of other sites whose name was pointed at this machine (DNS rebinding). A request that
    changes or computes something must come from no page or from one of the server's own (cross-site
    request forgery).
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with status 403 or 421."""
        problem = None
        if scope["type"] == "http":
            problem = self.refusal(scope["method"], Headers(scope=scope))
        await (self.app if problem is None else problem.response())(scope, receive, send)

    def refusal(self, method: str, headers: Headers) -> Problem | None:
        """The problem with a request, None where there is none."""
        host = headers.get("host", "")
        if self.hosts is not None and host_name(host) not in self.hosts:
            return Problem(421, "this server does not answer to that host name; see --allow-host")
        if method in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        if foreign or headers.get("sec-fetch-site") == "cross-site":
            return Problem(403, "requests from the pages of other sites are not answered")
        return None


def from_own_page(headers: Headers) -> bool:
    """Whether one of the server's own pages sent the request, by a header that browsers set.

    A program may send the header too; it then uses the capacity that is reserved for pages.
    """
    return headers.get("sec-fetch-site") == "same-origin"


def host_name(host: str) -> str | None:
    """The name in a Host header, in small letters and without its port; None for a malformed one."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname if parts.netloc == host and parts.username is None else None
    except ValueError:
        return None


def allowed_hosts(address: str, also: Collection[str] = ()) -> set[str] | None:
    """The names that a server bound to ``address`` answers to; None, any, where it serves a network."""
    if address.lower() not in LOOPBACK:
        return None if not also else {name.lower() for name in (*LOOPBACK, address, *also)}
    return {name.lower() for name in (*LOOPBACK, *also)}
