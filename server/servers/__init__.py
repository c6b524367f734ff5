"""One conversation, six ways to wait: the servers, one file each."""

from .base import EchoServer
from .blocking import BlockingServer
from .polling import PollingServer
from .protocol import ProtocolServer
from .selectors import SelectorsServer
from .sockets import SocketsServer
from .streams import StreamsServer

#: Every server there is, by name, in the order of `SERVER_NAMES`.
SERVERS: dict[str, type[EchoServer]] = {
    server.name: server
    for server in (SelectorsServer, SocketsServer, StreamsServer, ProtocolServer, PollingServer, BlockingServer)
}
