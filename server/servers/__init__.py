"""One conversation, several ways to wait: the servers, one file each."""

from .base import EchoServer
from .selectors import SelectorsServer
from .sockets import SocketsServer

#: Every server there is, by name.
SERVERS: dict[str, type[EchoServer]] = {server.name: server for server in (SelectorsServer, SocketsServer)}
