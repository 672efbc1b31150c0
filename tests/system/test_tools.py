# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests see a guest with, tried without one."""
import socket
import struct
import threading

import vnc


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
