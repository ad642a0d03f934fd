"""Refuses requests for another host (DNS rebinding) and from pages of other sites (CSRF)."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from poster_genre.errors import quoted
from poster_genre.web.problem_details import Problem
from poster_genre.web.security.host_names import HostNames

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
DEFAULT_PORTS = (":80", ":443")


class HostOriginCheck:
    """ASGI middleware that checks the headers Host, Origin and Sec-Fetch-Site.

    ``hosts`` are the host names that the server answers to, without a port. A request that changes or
    computes something must come from no page or from one of the server's own (cross-site request forgery).
    """

    def __init__(self, app: ASGIApp, hosts: HostNames) -> None:
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
        name = host_name(host)
        if name is None or name not in self.hosts:
            return Problem(
                421,
                f"this server does not answer to the host name {quoted(host)}; if it is one of its names, "
                "start it with --allow-host",
            )
        if method in SAFE_METHODS:
            return None
        others = [origin for origin in headers.getlist("origin") if not same_site(origin, host)]
        if others:
            return Problem(
                403,
                "requests from the pages of other sites are not answered: the page is from "
                f"{quoted(others[0])} and this server is {quoted(host)}. Behind a proxy, have it pass on the "
                "Host header (nginx: proxy_set_header Host $http_host)",
            )
        if "cross-site" in headers.getlist("sec-fetch-site"):
            return Problem(403, "requests from the pages of other sites are not answered")
        return None


def from_own_page(headers: Headers) -> bool:
    """Whether one of the server's own pages sent the request, by a header that browsers set.

    A program may send the header too; it then uses the capacity that is reserved for pages.
    """
    return headers.get("sec-fetch-site") == "same-origin"


def same_site(origin: str, host: str) -> bool:
    """Whether an Origin header names the host and port of a Host header. The default ports may be left out:
    a proxy in front may have taken HTTPS.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:  # malformed, such as "http://["
        return False
    return parts.scheme in ("http", "https") and without_default_port(parts.netloc) == without_default_port(
        host
    )


def without_default_port(host: str) -> str:
    """A host and port in small letters, the port only where it is not that of HTTP or HTTPS."""
    host = host.lower()
    for port in DEFAULT_PORTS:
        host = host.removesuffix(port)
    return host


def host_name(host: str) -> str | None:
    """The name in a Host header, in small letters and without its port; None for a malformed one."""
    try:
        parts = urlsplit(f"//{host}")
        name = parts.hostname if parts.netloc == host and parts.username is None else None
    except ValueError:
        return None
    return None if name is None else name.removesuffix(".") or None
