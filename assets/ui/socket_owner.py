"""Finds the user at the other end of a loopback connection; Linux lists the user of every socket.

What must not go in: decisions about access (`guard`).
"""

import ipaddress
import os
import sys
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROOT = 0
_ESTABLISHED = "01"

Place = tuple[str, int]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def may_enter(peer: Place, server: Place) -> bool:
    """Whether the user of a connecting socket is our own, or root.

    On systems other than Linux the user is not known, and everyone may enter; the documentation says to set a
    password there. A peer from another machine has no entry, and may not enter.

    Args:
        peer: the address and port of the other end.
        server: the address and port of our end.
    """
    if not sys.platform.startswith("linux") or not _TABLES[0].exists():
        return True
    return user_of(peer, server) in (os.getuid(), _ROOT)


def user_of(peer: Place, server: Place) -> int | None:
    """Return the user of the socket at the other end of a connection on this machine; None if not found.

    Both ends must match, since other connections, also root's, may have the same port at this end, and any user can
    bind to such a port. Only an open connection counts: for a closed socket the system shows root.
    """
    try:
        wanted = {tuple(_in_hex(*end) for end in ends) for ends in _forms(peer, server)}
    except ValueError:
        return None
    for table in _TABLES:
        if table.exists():
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                _, local, remote, state, _, _, _, user, *_ = line.split()
                if (local, remote) in wanted and state == _ESTABLISHED:
                    return int(user)
    return None


def _forms(peer: Place, server: Place) -> list[tuple[tuple[_Address, int], tuple[_Address, int]]]:
    """Return the forms that a connection may have in the tables: IPv4 over an IPv6 socket has its own form."""
    ends = [(_plain(host), port) for host, port in (peer, server)]
    found = [(ends[0], ends[1])]
    if all(isinstance(address, ipaddress.IPv4Address) for address, _ in ends):
        mapped = [(ipaddress.IPv6Address(f"::ffff:{address}"), port) for address, port in ends]
        found.append((mapped[0], mapped[1]))
    return found


def _plain(host: str) -> _Address:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _in_hex(address: _Address, port: int) -> str:
    """Return an address in hex, in words of four bytes in the machine's byte order, and the port."""
    packed = address.packed
    words = (packed[n : n + 4] for n in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"
