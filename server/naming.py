"""How errors, addresses and places in a row are named, in one line, for people."""

import errno
import ipaddress
import os
import socket


def describe(error: BaseException) -> str:
    """Return an error as one line: the system's words for an `OSError`, type and message otherwise."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{os.strerror(error.errno)} ({errno.errorcode.get(error.errno, error.errno)})"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def why_not_listening(error: Exception, port: int) -> str:
    """Return why a port cannot be had, and what to do about it."""
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"port {port} is taken by another program: end it, or choose another with --port"
        case errno.EACCES:
            return f"port {port} needs privileges: choose one above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return "that address is not one of this machine's: choose another with --host"
        case int(number) if number < 0:  # a `socket.gaierror`, which asyncio and `socket` raise as another one
            return f"that host is not known ({_resolved(error)}): choose another with --host"
        case _:
            return describe(error)


def _resolved(error: Exception) -> str:
    """Return what the resolver said, without what others have added to it."""
    return str(getattr(error, "strerror", error)).partition(" (while")[0]


def family_of(host: str) -> socket.AddressFamily:
    """Return what kind of address a host is: IPv6 where it has a colon."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def address(name: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """Return a socket's name as people write it: ``127.0.0.1:8000`` or ``[::1]:8000``."""
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reached_at(host: str) -> str:
    """Return the address at which a server that listens on this host is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def beyond_loopback(address: str) -> bool:
    """Return whether other machines may reach an address that something listens on, as ``getsockname`` tells it."""
    return not ipaddress.ip_address(address.partition("%")[0]).is_loopback


def exposed(host: str) -> str:
    """Return what it means that servers listen on a host that other machines may reach, and what to do about it."""
    return (
        f"listening on {host}, beyond this machine: whoever reaches these ports can connect; "
        f"--host 127.0.0.1 keeps them to this machine"
    )


def own_address(host: str) -> str:
    """Return the address to connect from to a server that listens on this host: any, where it listens on all."""
    return host if host not in ("0.0.0.0", "::") else ""  # noqa: S104 - compared, not bound


def ordinal(number: int) -> str:
    """Return a place in a row: ``1st``, ``2nd``, ``3rd``, ``4th``, ``11th``, ``22nd``."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 % 10 != 1 else "th"
    return f"{number}{ending}"
