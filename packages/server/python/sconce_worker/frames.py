"""Frames between the server process and a worker: packages/server/src/worker/frame.ts describes them."""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import NamedTuple, Sequence

HELLO, CALL, RESULT, ERROR, NOTE = 1, 2, 3, 4, 5

# In place of the row of a piece: numbers that the handler reports. As in packages/server/src/runtime/pieces.ts.
NO_ROW = 0xFFFFFFFF

_PREFIX = struct.Struct("<IBBHIIQ")
_MAGIC = 0x314E4353
_MAX_HEADER_BYTES = 16 * 1024 * 1024
_MAX_PAYLOAD_BYTES = 2 * 1024 * 1024 * 1024
# One call of the system takes no more pieces.
_MAX_PIECES = 512


class Frame(NamedTuple):
    kind: int
    method: int
    id: int
    header: memoryview
    # Its memory belongs to whoever holds it.
    payload: memoryview


class Channel:
    """The worker's end of its connection. Blocks while it waits; one thread reads, one writes."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, True)
        # No program that a model starts may hold the connection open.
        os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=fd)
        self._prefix = bytearray(_PREFIX.size)
        self._held: list[memoryview] = []

    def receive(self) -> Frame | None:
        """The next frame; None: the server process is gone, or wants the worker to end."""
        if not self._fill(memoryview(self._prefix)):
            return None
        magic, kind, method, zero, call_id, header_bytes, payload_bytes = _PREFIX.unpack(self._prefix)
        if magic != _MAGIC or zero != 0 or not HELLO <= kind <= NOTE:
            raise ConnectionError("a frame does not begin like one")
        if header_bytes > _MAX_HEADER_BYTES or payload_bytes > _MAX_PAYLOAD_BYTES:
            raise ConnectionError("a frame announces more than is allowed")
        head = _align8(header_bytes)
        block = memoryview(bytearray(head + _align8(payload_bytes)))
        if not self._fill(block):
            return None
        return Frame(kind, method, call_id, block[:header_bytes], block[head : head + payload_bytes])

    def receive_waiting(self) -> Frame | None:
        """The next frame if it has begun to come; None: nothing is there. Raises ConnectionError when the server process is gone, or wants the worker to end."""
        if not select.select([self._socket], [], [], 0)[0]:
            return None
        frame = self.receive()
        if frame is None:
            raise ConnectionError("the server process wants the worker to end")
        return frame

    def hold(self, kind: int, method: int, call_id: int, header: bytes) -> None:
        """Sends it with the next frame that is sent, as one message: the server process wakes once."""
        self._held += self._pieces(kind, method, call_id, header, ())

    def send(self, kind: int, method: int, call_id: int, header: bytes, chunks: Sequence[memoryview] = ()) -> None:
        """Returns when the kernel has all of it. Raises OSError when the server process is gone."""
        held, self._held = self._held, []
        pieces = held + self._pieces(kind, method, call_id, header, chunks)
        for start in range(0, len(pieces), _MAX_PIECES):
            self._write(pieces[start : start + _MAX_PIECES])

    def _pieces(self, kind: int, method: int, call_id: int, header: bytes, chunks: Sequence[memoryview]) -> list[memoryview]:
        payload_bytes = sum(chunk.nbytes for chunk in chunks)
        head = _PREFIX.pack(_MAGIC, kind, method, 0, call_id, len(header), payload_bytes)
        pieces = [memoryview(head + header + bytes(_align8(len(header)) - len(header)))]
        pieces += [chunk for chunk in chunks if chunk.nbytes > 0]
        padding = _align8(payload_bytes) - payload_bytes
        if padding:
            pieces.append(memoryview(bytes(padding)))
        return pieces

    def _fill(self, target: memoryview) -> bool:
        at = 0
        while at < target.nbytes:
            count = self._socket.recv_into(target[at:])
            if count == 0:
                return False
            at += count
        return True

    def _write(self, pieces: list[memoryview]) -> None:
        sent = self._socket.sendmsg(pieces)
        for piece in pieces:
            if sent >= piece.nbytes:
                sent -= piece.nbytes
                continue
            self._socket.sendall(piece[sent:])
            sent = 0


def _align8(length: int) -> int:
    return (length + 7) & ~7
