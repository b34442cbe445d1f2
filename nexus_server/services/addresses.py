"""Which addresses the platform may call when somebody else names them.

What is judged is the address that will be connected to, never the name: a name may mean another
address at the next look, and `2130706433` and `0x7f.1` are spellings of 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

# What `is_global` does not know in every Python, and addresses that mean another one by way of a
# translator. IANA's registries of special-purpose addresses name all but the first.
_REFUSED = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's metadata, at an address that looks public
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
    )
)
_NAT64 = ip_network("64:ff9b::/96")

# A slow name server must not take the threads that everything else uses.
_resolvers = ThreadPoolExecutor(8, thread_name_prefix="resolver")


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses that a name, or an address in any spelling, stands for.

    Raises:
        OSError: there are none.
    """

    def look_up() -> list[Address]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))

    try:
        return await asyncio.get_running_loop().run_in_executor(_resolvers, look_up)
    except UnicodeError as error:  # a label that is empty, or too long
        raise OSError(f"{host} cannot be a host's name") from error


def is_public(address: Address) -> bool:
    """Whether the address belongs to the internet, not to this machine or its surroundings."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not special and not any(address in network for network in _REFUSED)
