# SPDX-License-Identifier: GPL-2.0-or-later
"""A small VNC (RFB 3.8) client: fetches one picture of a guest's screen, and writes it as PPM."""
import collections
import socket
import struct
import time

PATIENCE = 3    # limits are what a fast machine takes with room to spare; on any other they are multiplied
RAW, NEW_SIZE = 0, -223    # encodings of a rectangle; without the second, the server keeps quiet about a change of size


class Screen:
    """Pixels as rows of 3 bytes each."""

    def __init__(self, width, height, rgb):
        self.width, self.height, self.rgb = width, height, rgb

    def resize(self, width, height):
        self.width, self.height, self.rgb = width, height, bytearray(width * height * 3)

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


class Viewer:
    """A connection to the VNC server behind a port of this machine, as wide and high as its screen was last said to be.

    Looking and typing that belong together go through one of it: where any viewer leaves, the server lets go of all keys.
    """

    def __init__(self, port, limit=20 * PATIENCE):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=limit)
        self.screen = Screen(0, 0, b"")
        self._hello()
        # Blue, green, red, nothing in the bytes of a pixel; no compression.
        self.send("!B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
        self.send("!BxHii", 2, 2, RAW, NEW_SIZE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

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

    def _hello(self):
        """Handshake without a password."""
        version = self.get(12)
        if not version.startswith(b"RFB 003."):
            raise ConnectionError("not a VNC server: %r" % version)
        self.sock.sendall(b"RFB 003.008\n")
        kinds = self.get(self.unpack("!B")[0])
        if 1 not in kinds:
            raise ConnectionError("the VNC server wants a password: %r" % kinds)
        self.send("!B", 1)
        if self.unpack("!I")[0]:
            raise ConnectionError("the VNC server refused")
        self.send("!B", 1)                             # others may look as well
        self.screen.resize(*self.unpack("!HH16x"))
        self.get(self.unpack("!I")[0])                 # its name

    def _rectangle(self):
        """Reads one rectangle; returns how many pixels it covers, or None where the screen changed its size."""
        screen = self.screen
        x, y, w, h, encoding = self.unpack("!HHHHi")
        if encoding == NEW_SIZE:
            screen.resize(w, h)
            return None
        if encoding != RAW or x + w > screen.width or y + h > screen.height:
            raise ConnectionError("the VNC server sent encoding %d, %dx%d at %d,%d, unasked" % (encoding, w, h, x, y))
        data = self.get(w * h * 4)
        for line in range(h):
            row = data[line * w * 4:(line + 1) * w * 4]
            rgb = bytearray(3 * w)
            rgb[0::3], rgb[1::3], rgb[2::3] = row[2::4], row[1::4], row[0::4]
            at = ((y + line) * screen.width + x) * 3
            screen.rgb[at:at + 3 * w] = rgb
        return w * h

    def _update(self):
        """Reads one update; returns how many pixels it covers, or None where the screen changed its size."""
        covered = 0
        for _ in range(self.unpack("!xH")[0]):
            pixels = self._rectangle()
            covered = None if pixels is None or covered is None else covered + pixels
        return covered

    def _ask(self):
        """Asks for the whole screen. Returns how many pixels of it have come: none."""
        self.send("!BBHHHH", 3, 0, 0, 0, self.screen.width, self.screen.height)
        return 0

    def picture(self):
        covered = self._ask()
        while covered < self.screen.width * self.screen.height:
            kind = self.unpack("!B")[0]
            if kind == 0:
                pixels = self._update()
                covered = self._ask() if pixels is None else covered + pixels
            elif kind == 1:                            # colour map
                self.get(6 * self.unpack("!xHH")[1])
            elif kind == 3:                            # clipboard
                self.get(self.unpack("!3xI")[0])
        return Screen(self.screen.width, self.screen.height, bytes(self.screen.rgb))

    def press(self, *keys):
        """Presses keys one after the other: characters, key symbols, or a tuple of those to hold together."""
        for key in keys:
            chord = [ord(k) if isinstance(k, str) else k for k in (key if isinstance(key, tuple) else (key,))]
            for down, order in (1, chord), (0, reversed(chord)):
                for symbol in order:
                    self.send("!BBxxI", 4, down, symbol)
                    time.sleep(0.05)


def picture(port, limit=20 * PATIENCE):
    """The screen behind a port of this machine."""
    with Viewer(port, limit) as viewer:
        return viewer.picture()


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


def wait_for_change(port, before, limit, seen_as=lambda screen: screen.rgb):
    """Waits until a picture is no longer seen as an earlier one was."""
    limit *= PATIENCE
    end, before = time.monotonic() + limit, seen_as(before)
    while time.monotonic() < end:
        if seen_as(picture(port)) != before:
            return
        time.sleep(0.3)
    raise AssertionError("the screen has not changed within %d s" % limit)
