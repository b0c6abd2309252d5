"""A socket that reads ahead and gathers writes: paho asks for a byte at a time and sends a packet at a time."""

import socket
import ssl

READ_AHEAD = 65536  # bytes
BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """The part of a non-blocking socket that paho uses; `send` only gathers, `flush` writes."""

    __slots__ = ("_ahead", "_gathered", "_position", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        # Gathered writes are whole already; Nagle would hold back the last one for an acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._ahead = b""
        self._position = 0
        self._gathered = bytearray()

    def recv(self, size: int) -> bytes:
        """At most `size` bytes, empty at the end of the stream; raises what the socket raises when nothing waits."""
        start = self._position
        if start >= len(self._ahead):
            self._ahead = self._socket.recv(READ_AHEAD)
            start = 0
        self._position = start + size
        return self._ahead[start : start + size]

    def pending(self) -> int:
        """Bytes that can be had without the socket becoming readable again."""
        ahead = max(0, len(self._ahead) - self._position)
        return ahead + (self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0)

    def send(self, data: bytes | bytearray) -> int:
        self._gathered += data
        return len(data)

    def flush(self) -> bool:
        """Whether everything gathered is with the kernel now; raises OSError when the connection is gone."""
        while self._gathered:
            try:
                sent = self._socket.send(self._gathered)
            except BLOCKED:
                return False
            del self._gathered[:sent]
        return True

    @property
    def unsent(self) -> int:
        """Bytes gathered and not yet taken by the kernel."""
        return len(self._gathered)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Closes; what is gathered (a DISCONNECT, as a rule) is written if that takes no waiting."""
        try:
            if self._gathered:
                self._socket.send(self._gathered)
        except OSError:
            pass  # the other side is gone: nobody is left to read it
        finally:
            self._socket.close()
