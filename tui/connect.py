"""`echotui connect`: a line client, for machines without telnet or nc. It ends its lines with CRLF, as telnet does."""

import contextlib
import socket
import sys
import threading

from .standard import point_to_nothing
from .text import clean_bytes

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
    except OSError as error:
        reason = error.strerror or str(error)
        print(f"echotui connect: cannot connect to {host}:{port}: {reason}: is it serving?", file=sys.stderr)
        return 1
    with sock:
        sock.settimeout(None)
        said_all = threading.Event()
        threading.Thread(target=_send_lines, args=(sock, said_all), daemon=True).start()
        try:
            while data := sock.recv(65536):
                _show(data)
        except BrokenPipeError:
            point_to_nothing()
            return 141
        except OSError as error:
            print(f"echotui connect: {error.strerror or error}", file=sys.stderr)
            return 1
    if not said_all.is_set():
        print("echotui connect: the server closed the connection", file=sys.stderr)
    return 0


def _send_lines(sock: socket.socket, said_all: threading.Event) -> None:
    """Send what is typed, and tell when that was all.

    A line that cannot be sent any more is the server's end, which the reader notices.
    """
    # Not sys.stdin itself: Python takes its lock on the way out, and aborts if this thread still waits in a read.
    with contextlib.suppress(OSError), open(sys.stdin.fileno(), "rb", closefd=False) as typed:
        for line in typed:
            sock.sendall(line.rstrip(b"\r\n") + b"\r\n")
        said_all.set()
        sock.shutdown(socket.SHUT_WR)


def _show(data: bytes) -> None:
    if sys.stdout.isatty():
        shown = "\n".join(clean_bytes(line.removesuffix(b"\r")) for line in data.split(b"\n"))
        sys.stdout.write(shown)
    else:
        sys.stdout.buffer.write(data)
    sys.stdout.flush()
