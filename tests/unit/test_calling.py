"""The traffic client, where a server does not come into it."""

import os
import socket
from time import monotonic

import pytest

from echotui.server.bench import worker
from echotui.server.bench.calling import IN, Caller, by_the_clock, hear, say
from echotui.server.bench.order import Order
from echotui.server.bench.polling import Poller
from echotui.server.bench.worker import Client


def test_only_the_descriptor_of_who_started_it_says_stop() -> None:
    """A kqueue tells twice of one that is ready both ways; the first time may have ended it."""
    reader, writer = os.pipe()
    try:
        client = Client(Order(address=("127.0.0.1", 1)))
        client.listen_to(reader)
        assert hear(client, writer, IN) is None
        assert not client.stopped
        assert hear(client, reader, IN) is None
        assert client.stopped
        assert hear(client, writer, IN) is None
        assert client.stopped
    finally:
        os.close(reader)
        os.close(writer)


def test_where_nobody_accepts_connecting_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection finds room in the listener's queue; the next waits in vain, and is the last that is tried."""
    monkeypatch.setattr(worker, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        client = Client(Order(address=full.getsockname(), connections=10))
        assert client.connect() == 0
    assert client.report.errors == {"timed out": 1, "no answer": 1}


def test_an_answer_that_has_come_is_heard_although_the_time_is_over() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        client = Client(Order(address=("127.0.0.1", 1)))
        caller = client.callers[ours.fileno()] = Caller(ours, 0, 0)
        client.poller.add(caller.fd)
        say(client, caller, 0.0, 1)
        theirs.sendall(theirs.recv(64, socket.MSG_WAITALL))
        client._until_silent(0.0)
    assert (client.messages, client.report.errors) == (1, {})


def test_nobody_waits_for_a_message_that_is_due_after_the_end() -> None:
    waits: list[float] = []

    class Patient(Poller):
        def wait(self, seconds: float) -> None:
            waits.append(seconds)
            super().wait(seconds)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        client = Client(Order(address=("127.0.0.1", 1)))
        client.poller = Patient()
        client.callers[ours.fileno()] = Caller(ours, 0, 0)
        began = monotonic()
        by_the_clock(client, began, began + 0.05, 1.0, lambda _: None)
    assert waits
    assert all(0 <= seconds <= 0.05 for seconds in waits)
