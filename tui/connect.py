"""`echotui connect`: a line client, for machines without telnet or nc. It ends its lines with CRLF, as telnet does."""

import contextlib
import socket
import sys
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from functools import partial

from echotui.server.naming import describe

from .standard import speaking
from .text import clean

#: How long connecting may take, in seconds.
CONNECT_TIME = 10.0


def run(host: str, port: int) -> int:
    """Send each line of standard input, print what comes back. Returns the exit status.

    At the end of the input it sends no more, prints what is still answered, and ends when the server closes.
    On a terminal, what the server sends is shown with everything unprintable escaped; into a pipe it goes as it is.
    """
    try:
        return _talk(host, port)
    except KeyboardInterrupt:
        return 130


def _talk(host: str, port: int) -> int:
    try:
        sock = socket.create_connection((host, port), CONNECT_TIME)
    except (OSError, UnicodeError) as error:  # a host that is no name at all
        reason = getattr(error, "strerror", None) or str(error)
        print(f"echotui connect: cannot connect to {clean(host)}:{port}: {reason}: is it serving?", file=sys.stderr)
        return 1
    with sock:
        sock.settimeout(None)
        said_all = threading.Event()
        threading.Thread(target=_send_lines, args=(sock, said_all), daemon=True).start()
        status = speaking("echotui connect", partial(_show, sock))
    if not status and not said_all.is_set():
        print("echotui connect: the server closed the connection", file=sys.stderr)
    return status


def _show(sock: socket.socket) -> int:
    """Print what comes back, until the server closes. Returns the exit status."""
    show = _on_a_terminal() if sys.stdout.isatty() else sys.stdout.buffer.write
    while True:
        try:
            data = sock.recv(65536)
        except OSError as error:
            print(f"echotui connect: {error.strerror or error}", file=sys.stderr)
            return 1
        if not data:
            return 0
        show(data)
        sys.stdout.flush()


def _send_lines(sock: socket.socket, said_all: threading.Event) -> None:
    """Send what is typed, and tell when that was all.

    A line that cannot be sent any more is the server's end, which the reader notices.
    """
    with contextlib.suppress(OSError):
        for line in _typed():
            sock.sendall(line.rstrip(b"\r\n") + b"\r\n")
        said_all.set()
        sock.shutdown(socket.SHUT_WR)


def _typed() -> Iterator[bytes]:
    """Yield what is typed, by line. Input that cannot be read is told, and ends there."""
    try:
        # Not sys.stdin itself: Python takes its lock on the way out, and aborts if this thread still waits in a read.
        with open(sys.stdin.fileno(), "rb", closefd=False) as typed:
            yield from typed
    except OSError as error:
        with contextlib.suppress(OSError):  # nobody reads that either
            print(f"echotui connect: stdin: {describe(error)}", file=sys.stderr, flush=True)


def _on_a_terminal() -> Callable[[bytes], object]:
    """Return what shows bytes clean, as they come: a character, or the end of a line, may come in parts."""
    decode = getincrementaldecoder("utf-8")("backslashreplace").decode
    begun = ""

    def show(data: bytes) -> None:
        nonlocal begun
        text = begun + decode(data)
        begun = "\r" if text.endswith("\r") else ""
        lines = text.removesuffix("\r").split("\n")
        sys.stdout.write("\n".join(clean(line.removesuffix("\r")) for line in lines))

    return show
