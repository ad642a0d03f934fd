"""The host names that a server answers to.

A page of another site can point its own name at this machine after a browser has loaded it (DNS rebinding);
to the browser the server is then part of that site. The request's Host header still has the site's name, so
a server that answers to its own names only is safe. An IP address in the header cannot be such a name.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass

from poster_genre.errors import UsageError, quoted

LOOPBACK = ("localhost", "127.0.0.1", "::1")
LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(\.{LABEL})*", re.IGNORECASE)


@dataclass(frozen=True)
class HostNames:
    """``names`` in small letters; with ``domains`` also every name that ends in one of these, such as
    ".example.org"; with ``addresses`` also every IP address.
    """

    names: tuple[str, ...]
    domains: tuple[str, ...] = ()
    addresses: bool = False

    def __contains__(self, name: str) -> bool:
        return name in self.names or name.endswith(self.domains) or (self.addresses and is_ip_address(name))

    def __str__(self) -> str:
        """The names as a list for people."""
        listed = [*self.names, *(f"*{domain}" for domain in self.domains)]
        return ", ".join([*listed, *(["any IP address"] if self.addresses else [])])


def allowed_hosts(address: str, also: Collection[str] = ()) -> HostNames:
    """The names of a server that is bound to ``address``, and those of ``--allow-host``.

    On a loopback address the loopback names; on any other one also every IP address and the machine's own
    name. UsageError for a name in ``also`` that no Host header can have.
    """
    names = [*LOOPBACK]
    local = address.lower() in LOOPBACK
    if not local:
        own = socket.gethostname().lower()
        names += [own, f"{own}.local", address.lower()]
    checked = [checked_name(name) for name in also]
    names += [name for name in checked if not name.startswith(".")]
    names = [name for name in dict.fromkeys(names) if name and (local or not is_ip_address(name))]
    return HostNames(tuple(names), tuple(name for name in checked if name.startswith(".")), not local)


def checked_name(name: str) -> str:
    """A name of ``--allow-host`` in small letters; ".example.org" for the wildcard "*.example.org"."""
    plain = name.strip("[]") if name.startswith("[") else name
    if is_ip_address(plain):
        return plain.lower()
    plain = plain.removesuffix(".").lower()
    wildcard = plain.startswith("*.")
    if not NAME.fullmatch(plain.removeprefix("*.")):
        raise UsageError(
            f"--allow-host {quoted(name)} is not a host name; give the name alone, without scheme, port or "
            "path, such as posters.example.org, or *.example.org for all names below it"
        )
    return plain.removeprefix("*") if wildcard else plain


def is_ip_address(name: str) -> bool:
    """Whether this is an IPv4 or IPv6 address, the latter without brackets."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
