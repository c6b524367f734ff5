"""A storm of real clients: threads with blocking sockets that say random things and check what comes back."""

import random
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from support import PATIENCE, reset

Ending = Literal["closing", "half-closing", "resetting"]

#: The longest message, in bytes.
LONGEST = 16 * 1024

#: The longest pause between two messages, in seconds.
LONGEST_PAUSE = 0.01


@dataclass
class Storm:
    """What became of the clients. `wrong` names each that did not get back what it had said."""

    wrong: list[str] = field(default_factory=list)
    finished: int = 0
    bytes: int = 0


def storm(port: int, *, clients: int, messages: int, seed: int = 0) -> Storm:
    """Let clients talk to a server at the same time; return when all have ended. Blocks: call it in a thread."""
    result, lock = Storm(), threading.Lock()

    def live(number: int) -> None:
        try:
            said = _talk(port, random.Random(f"{seed}/{number}"), messages)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test hears of it
            with lock:
                result.wrong.append(f"client {number}: {error!r}")
        else:
            with lock:
                result.finished += 1
                result.bytes += said

    threads = [threading.Thread(target=live, args=(number,), name=f"client-{number}") for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result


def _talk(port: int, chance: random.Random, messages: int) -> int:
    """Be one client; return how many bytes were said and came back."""
    ending: Ending = chance.choice(["closing", "closing", "half-closing", "resetting"])
    last = chance.randrange(1, messages) if ending == "resetting" else messages
    total = 0
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        for _ in range(last):
            said = chance.randbytes(chance.randint(1, LONGEST))
            sock.sendall(said)
            _expect(sock, said)
            total += len(said)
            if chance.random() < 0.5:
                time.sleep(chance.uniform(0, LONGEST_PAUSE))
        # The last words are said without waiting for an answer: what comes next may overtake them.
        words = [chance.randbytes(chance.randint(1, LONGEST)) for _ in range(4)]
        for said in words:
            sock.sendall(said)
        if ending == "resetting":
            reset(sock)
            return total
        if ending == "half-closing":
            sock.shutdown(socket.SHUT_WR)
        _expect(sock, b"".join(words))
        if ending == "half-closing" and sock.recv(1):
            raise AssertionError("more came back than was said")
    return total + sum(map(len, words))


def _expect(sock: socket.socket, said: bytes) -> None:
    heard = bytearray()
    while len(heard) < len(said):
        more = sock.recv(len(said) - len(heard))
        if not more:
            raise AssertionError(f"closed after {len(heard)} of {len(said)} bytes")
        heard += more
    if heard != said:
        raise AssertionError(f"{len(said)} bytes came back as others")
