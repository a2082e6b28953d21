"""A D-Bus client in a page: takes calls, gives replies or the name of an error.

`busctl` takes fifteen milliseconds for a call and there are thousands of them. Only what those calls need is
here: little-endian messages, and the types that they use.
"""

import os
import socket
import struct

ALIGNMENT = dict(y=1, g=1, v=1, b=4, i=4, u=4, h=4, s=4, o=4, a=4, x=8, t=8, d=8)
NUMBERS = dict(y="<B", b="<I", i="<i", u="<I", h="<I", x="<q", t="<Q", d="<d")
PATH, INTERFACE, MEMBER, ERROR, REPLY_TO, DESTINATION, SENDER, SIGNATURE, FDS = range(1, 10)
CALL, REPLY, FAILURE, SIGNAL = range(1, 5)


class Refused(Exception):
    """An error reply: its D-Bus name and its text."""

    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


def split(signature):
    """The complete types of a signature."""
    types, start, depth = [], 0, 0
    for i, c in enumerate(signature):
        depth += (c in "({") - (c in ")}")
        if depth == 0 and c != "a":
            types.append(signature[start : i + 1])
            start = i + 1
    return types


def boundary(kind):
    return 8 if kind[0] in "({" else ALIGNMENT[kind[0]]


class Writer:
    def __init__(self):
        self.bytes = bytearray()

    def align(self, n):
        self.bytes.extend(bytes(-len(self.bytes) % n))

    def add(self, kind, value):
        self.align(boundary(kind))
        if kind in NUMBERS:
            self.bytes += struct.pack(NUMBERS[kind], value)
        elif kind in "so":
            text = os.fsencode(value)
            self.bytes += struct.pack("<I", len(text)) + text + b"\0"
        elif kind == "g":
            self.bytes += struct.pack("<B", len(value)) + value.encode() + b"\0"
        elif kind == "v":
            self.add("g", value[0])
            self.add(value[0], value[1])
        elif kind[0] == "a":
            at = len(self.bytes)
            self.bytes += bytes(4)
            self.align(boundary(kind[1:]))
            start = len(self.bytes)
            for item in value:
                self.add(kind[1:], item)
            struct.pack_into("<I", self.bytes, at, len(self.bytes) - start)
        else:
            for part, item in zip(split(kind[1:-1]), value, strict=True):
                self.add(part, item)


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, kind):
        self.at += -self.at % boundary(kind)
        if kind in NUMBERS:
            value = struct.unpack_from(NUMBERS[kind], self.data, self.at)[0]
            self.at += struct.calcsize(NUMBERS[kind])
            return value
        if kind in "sog":
            length = self.take("y" if kind == "g" else "u")
            text = os.fsdecode(bytes(self.data[self.at : self.at + length]))
            self.at += length + 1
            return text
        if kind == "v":
            return self.take(self.take("g"))
        if kind[0] == "a":
            length = self.take("u")
            self.at += -self.at % boundary(kind[1:])
            end, items = self.at + length, []
            while self.at < end:
                items.append(self.take(kind[1:]))
            return items
        return [self.take(part) for part in split(kind[1:-1])]


class Bus:
    """A connection to a bus as the user that this program runs as."""

    def __init__(self, address="/run/dbus/system_bus_socket"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(address)
        self.serial = 0
        self.data = b""
        uid = str(os.getuid()).encode().hex()
        self.socket.sendall(f"\0AUTH EXTERNAL {uid}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n".encode())
        while self.data.count(b"\r\n") < 2:
            self.data += self.receive()
        lines, self.data = self.data.rsplit(b"\r\n", 1)
        assert lines.startswith(b"OK "), lines
        self.name = self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")[0]

    def receive(self):
        data, _, _, _ = self.socket.recvmsg(1 << 16, socket.CMSG_SPACE(64))
        if not data:
            raise EOFError("the bus hung up")
        return data

    def call(self, destination, path, interface, member, signature="", *values, fds=()):
        """Calls a method and waits for the reply; raises Refused for an error."""
        serial = self.send(destination, path, interface, member, signature, *values, fds=fds)
        while True:
            kind, fields, body = self.read()
            if kind in (REPLY, FAILURE) and fields.get(REPLY_TO) == serial:
                if kind == FAILURE:
                    raise Refused(fields[ERROR], body[0] if body else "")
                return body

    def send(self, destination, path, interface, member, signature="", *values, fds=()):
        self.serial += 1
        body = Writer()
        for kind, value in zip(split(signature), values, strict=True):
            body.add(kind, value)
        fields = [(PATH, ("o", path)), (INTERFACE, ("s", interface)), (MEMBER, ("s", member))]
        fields.append((DESTINATION, ("s", destination)))
        if signature:
            fields.append((SIGNATURE, ("g", signature)))
        if fds:
            fields.append((FDS, ("u", len(fds))))
        head = Writer()
        for byte in (ord("l"), CALL, 0, 1):
            head.add("y", byte)
        head.add("u", len(body.bytes))
        head.add("u", self.serial)
        head.add("a(yv)", fields)
        head.align(8)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
        message = bytes(head.bytes + body.bytes)
        sent = self.socket.sendmsg([message], ancillary)
        self.socket.sendall(message[sent:])
        return self.serial

    def read(self):
        """The next message: its kind, its fields, its values."""
        while len(self.data) < 16:
            self.data += self.receive()
        kind = self.data[1]
        length, _, fields = struct.unpack_from("<III", self.data, 4)
        start = 16 + fields + -fields % 8
        while len(self.data) < start + length:
            self.data += self.receive()
        head = dict(Reader(self.data, 12).take("a(yv)"))
        body = Reader(self.data[start : start + length])
        values = [body.take(part) for part in split(head.get(SIGNATURE, ""))]
        self.data = self.data[start + length :]
        return kind, head, values
