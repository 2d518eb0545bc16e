"""Who is at the other end of a connection over loopback: Linux lists the user of every socket of the machine.

What must not go in: what follows from it (`guard`).
"""

import ipaddress
import os
import sys
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROOT = 0


def may_enter(host: str, port: int) -> bool:
    """Whether the user of a connecting socket is our own, or root.

    Where the system does not tell (other than Linux) nobody is kept out: the documentation says to set a password
    there. A peer that is not of this machine has no entry, and does not come in.

    Args:
        host: the peer's address.
        port: its port.
    """
    if not sys.platform.startswith("linux") or not _TABLES[0].exists():
        return True
    return user_of(host, port) in (os.getuid(), _ROOT)


def user_of(host: str, port: int) -> int | None:
    """The user of the socket that is bound to an address and port of this machine; None where there is none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    wanted = {f"{_in_hex(each)}:{port:04X}" for each in _forms(mapped or address)}
    for table in _TABLES:
        if table.exists():
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[1] in wanted:
                    return int(fields[7])
    return None


def _forms(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """As the tables may have it: IPv4 over a socket of IPv6 is there as such."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address, ipaddress.IPv6Address(f"::ffff:{address}")]
    return [address]


def _in_hex(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Words of four bytes in the machine's own order."""
    packed = address.packed
    words = (packed[n : n + 4] for n in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
