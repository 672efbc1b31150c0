# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests see a guest with, tried without one."""
import socket
import struct
import threading

import screen
import vnc
from console import Mender


def _serve(listener):
    """A VNC server whose screen becomes lower and wider before the first picture has been sent, as a BIOS makes it."""
    s = listener.accept()[0]
    get = s.makefile("rb").read
    s.sendall(b"RFB 003.008\n")
    get(12)
    s.sendall(b"\1\1")
    get(1)
    s.sendall(struct.pack("!I", 0))
    get(1)
    s.sendall(struct.pack("!HH16xI", 640, 480, 0))
    get(20)
    encodings = struct.unpack("!%di" % struct.unpack("!BxH", get(4))[1], get(8))
    get(10)
    if vnc.NEW_SIZE in encodings:
        s.sendall(struct.pack("!BxHHHHHi", 0, 1, 0, 0, 720, 400, vnc.NEW_SIZE))
        get(10)
    s.sendall(struct.pack("!BxHHHHHi", 0, 1, 0, 0, 720, 400, vnc.RAW) + bytes([3, 2, 1, 0]) * 720 * 400)
    get(1)                                             # until the client closes the connection
    s.close()


def test_picture_of_a_screen_that_changes_its_size():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        picture = vnc.picture(listener.getsockname()[1], limit=5)
    assert (picture.width, picture.height) == (720, 400)
    assert picture.colours() == {b"\1\2\3": 720 * 400}


def test_screen_reads_the_same_whether_its_cursor_is_to_be_seen():
    """A picture that is taken at every second blink always shows the cursor: 'dhcp' never ended its line then."""
    glyphs = {character: dots for dots, character in reversed(screen._glyphs().items())}
    for cursor_at in None, 1, 2:                       # nowhere, on a letter, behind the last one
        cells = [bytearray(glyphs[c]) for c in "hp "]
        if cursor_at is not None:
            cells[cursor_at][-2:] = screen.CURSOR
        rgb = b"".join(bytes([255 * (cell[y] >> 7 - x & 1)] * 3)
                       for y in range(screen.CELL_HEIGHT) for cell in cells for x in range(8))
        assert screen.text(vnc.Screen(8 * len(cells), screen.CELL_HEIGHT, rgb)) == "hp"


def test_line_that_the_hypervisor_breaks_into_is_read_whole():
    told = "(polder) (d12) Copying SMBIOS\n"
    for came, read in (
            ("S39T" + told + "\r\nName\n", "S39T\n" + told + "S39T\r\nName\n"),
            ("0:E3" + told + "9" + told + "ND\r\n", "0:E3\n" + told + "0:E39\n" + told + "0:E39ND\r\n"),
            ("dom0# xl " + told + "list\n", "dom0# xl \n" + told + "list\n"),
            ("a line\n" + told + "(another)\n", "a line\n" + told + "(another)\n"),
            ("dom0# ", "dom0# "), ("(", ""), ("x (polder", "x ")):
        for step in range(1, len(came) + 1):            # however it comes in pieces
            mend = Mender()
            assert "".join(mend(came[i:i + step]) for i in range(0, len(came), step)) == read, (came, step)
