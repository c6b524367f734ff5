"""The traffic client, where a server does not come into it."""

import os

from echotui.server.bench.calling import IN, hear
from echotui.server.bench.order import Order
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
