"""Many clients at once, each with a will of its own: every byte comes back in order, and nothing is left at the end.

It is small by default; ``ECHOTUI_STORM=100x300`` lets 100 clients say 300 messages each.
"""

import asyncio
import os

import psutil
from support import Flavour, a_lab, a_peer, each_flavour
from support_storm import storm

CLIENTS, MESSAGES = map(int, os.environ.get("ECHOTUI_STORM", "30x60").split("x"))


@each_flavour
async def test_every_byte_comes_back_in_order_and_nothing_is_left(flavour: Flavour) -> None:
    process = psutil.Process()
    async with a_lab(flavour) as lab:
        record = lab.servers[flavour.server].record
        async with a_peer(lab, flavour.server) as peer:  # libuv keeps a spare descriptor from its first accept on
            assert await peer.echoes()
        await asyncio.wait_for(lab.connections.wait_until_none_is_open(), 10)
        descriptors = process.num_fds()
        result = await asyncio.to_thread(storm, record.port, clients=CLIENTS, messages=MESSAGES)
        await asyncio.wait_for(lab.connections.wait_until_none_is_open(), 10)
        assert result.wrong == []
        assert (record.accepted, record.open, lab.connections.closed) == (1 + CLIENTS, 0, 1 + CLIENTS)
        assert result.finished == CLIENTS
        assert result.bytes <= record.bytes_out <= record.bytes_in
        assert process.num_fds() == descriptors
        print(f"{result.bytes / 1e6:.0f} MB, at most {lab.connections.most_open} clients at once")
