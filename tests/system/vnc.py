# SPDX-License-Identifier: GPL-2.0-or-later
"""A small VNC (RFB 3.8) client: fetches one picture of a guest's screen, and writes it as PPM."""
import collections
import socket
import struct
import time

PATIENCE = 3    # limits are what a fast machine takes with room to spare; on any other they are multiplied


class Screen:
    """Pixels as rows of 3 bytes each."""

    def __init__(self, width, height, rgb):
        self.width, self.height, self.rgb = width, height, rgb

    def save(self, path):
        with open(path, "wb") as f:
            f.write(b"P6 %d %d 255\n" % (self.width, self.height) + self.rgb)

    def colours(self):
        """{colour: number of pixels}"""
        return collections.Counter(self.rgb[i:i + 3] for i in range(0, len(self.rgb), 3))

    def text_rows(self, cell=16):
        """How many character rows hold something other than the most frequent colour."""
        background = self.colours().most_common(1)[0][0]
        row = self.width * 3
        blank = background * self.width
        lines = [self.rgb[y * row:(y + 1) * row] != blank for y in range(self.height)]
        return sum(any(lines[y:y + cell]) for y in range(0, self.height, cell))


class _Connection:
    def __init__(self, port, limit):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=limit)

    def get(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("the VNC server closed the connection")
            data += more
        return data

    def unpack(self, form):
        return struct.unpack(form, self.get(struct.calcsize(form)))

    def send(self, form, *values):
        self.sock.sendall(struct.pack(form, *values))


def _hello(c):
    """Handshake without a password; returns the screen's size."""
    version = c.get(12)
    if not version.startswith(b"RFB 003."):
        raise ConnectionError("not a VNC server: %r" % version)
    c.sock.sendall(b"RFB 003.008\n")
    kinds = c.get(c.unpack("!B")[0])
    if 1 not in kinds:
        raise ConnectionError("the VNC server wants a password: %r" % kinds)
    c.send("!B", 1)
    if c.unpack("!I")[0]:
        raise ConnectionError("the VNC server refused")
    c.send("!B", 1)                                    # others may look as well
    width, height = c.unpack("!HH16x")
    c.get(c.unpack("!I")[0])                           # its name
    return width, height


def _rectangle(c, screen, width):
    x, y, w, h, encoding = c.unpack("!HHHHi")
    if encoding != 0:
        raise ConnectionError("the VNC server sent encoding %d unasked" % encoding)
    data = c.get(w * h * 4)
    for line in range(h):
        row = data[line * w * 4:(line + 1) * w * 4]
        rgb = bytearray(3 * w)
        rgb[0::3], rgb[1::3], rgb[2::3] = row[2::4], row[1::4], row[0::4]
        at = ((y + line) * width + x) * 3
        screen[at:at + 3 * w] = rgb
    return w * h


def picture(port, limit=20 * PATIENCE):
    """The screen behind a port of this machine."""
    c = _Connection(port, limit)
    width, height = _hello(c)
    # Blue, green, red, nothing in the bytes of a pixel; no compression.
    c.send("!B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
    c.send("!BxHi", 2, 1, 0)
    c.send("!BBHHHH", 3, 0, 0, 0, width, height)
    screen = bytearray(width * height * 3)
    covered = 0
    while covered < width * height:
        kind = c.unpack("!B")[0]
        if kind == 0:
            for _ in range(c.unpack("!xH")[0]):
                covered += _rectangle(c, screen, width)
        elif kind == 1:                                # colour map
            c.get(6 * c.unpack("!xHH")[1])
        elif kind == 3:                                # clipboard
            c.get(c.unpack("!3xI")[0])
    c.sock.close()
    return Screen(width, height, bytes(screen))


def wait_for_text(port, rows, limit):
    """A picture with at least so many rows of characters."""
    limit *= PATIENCE
    end, last = time.monotonic() + limit, None
    while time.monotonic() < end:
        try:
            last = picture(port)
            if last.text_rows() >= rows:
                return last
        except OSError as e:
            last = last or e
        time.sleep(0.3)
    raise AssertionError("no %d rows of text on the screen within %d s (%s)" % (
        rows, limit, last if isinstance(last, Exception) or not last else "%d rows" % last.text_rows()))
