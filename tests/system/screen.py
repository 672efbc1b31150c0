# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's screen in text mode, read as text: the glyphs of the VGA's font, from the BIOS that draws them."""
import re
import time

import vnc

FONT_FILE = "/usr/share/seabios/vgabios-stdvga.bin"
FONT_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")    # 'A' in the font of 8x16 dots, code page 437
CELL_HEIGHT = 16
CURSOR = b"\xff\xff"                                   # the last two lines of its cell, while it blinks
CTRL, ENTER, DOWN = 0xffe3, 0xff0d, 0xff54


def _glyphs():
    """{16 bytes of dots: character}; what is not ASCII is '?', a frame or a block for instance."""
    with open(FONT_FILE, "rb") as f:
        rom = f.read()
    start = rom.find(FONT_A) - 16 * ord("A")
    assert start > 0, "no font in " + FONT_FILE
    glyphs = {}
    for code in list(range(0x20, 0x7f)) + list(range(0x80, 0xff)):
        dots = rom[start + 16 * code:start + 16 * code + 16]
        glyphs.setdefault(dots, chr(code) if code < 0x7f else "?")
        glyphs.setdefault(bytes(b ^ 0xff for b in dots), chr(code) if code < 0x7f else "?")
    glyphs[bytes(16)] = glyphs[b"\xff" * 16] = " "
    for dots, character in list(glyphs.items()):
        glyphs.setdefault(dots[:-len(CURSOR)] + CURSOR, character)
    return glyphs


GLYPHS = {}
CELLS = {}                                             # pixels of a cell: its character; screens repeat themselves


def _cell(pixels):
    """The character of a cell's 8x16 pixels: a dot is set where the colour is not that of the first."""
    first = pixels[:3]
    dots = bytearray()
    for line in range(0, len(pixels), 24):
        dots.append(sum(0x80 >> i for i in range(8) if pixels[line + 3 * i:line + 3 * i + 3] != first))
    return GLYPHS.get(bytes(dots), "?")


def text(screen):
    """The lines of a screen in text mode; a cell with no known glyph is '?'."""
    GLYPHS.update(GLYPHS or _glyphs())
    wide = 9 if screen.width == 720 else 8
    lines = []
    for y in range(0, screen.height - CELL_HEIGHT + 1, CELL_HEIGHT):
        rows = [screen.rgb[(y + i) * screen.width * 3:(y + i + 1) * screen.width * 3] for i in range(CELL_HEIGHT)]
        line = ""
        for x in range(0, screen.width - 7, wide):
            pixels = b"".join(row[3 * x:3 * x + 24] for row in rows)
            if pixels not in CELLS:
                CELLS[pixels] = _cell(pixels)
            line += CELLS[pixels]
        lines.append(line.rstrip())
    return "\n".join(lines)


def wait_for(port, pattern, limit, never=None):
    """Waits until the screen's text matches; fails at once where it matches never. Returns the match."""
    limit *= vnc.PATIENCE
    end, seen = time.monotonic() + limit, ""
    while time.monotonic() < end:
        try:
            seen = text(vnc.picture(port))
        except OSError:
            pass                                       # the guest's device model is not there yet
        if never and re.search(never, seen):
            break
        m = re.search(pattern, seen)
        if m:
            return m
        time.sleep(0.3)
    raise AssertionError("no %r on the screen within %d s:\n%s" % (pattern, limit, seen))


def press(port, *keys):
    """Presses keys one after the other (vnc.Viewer.press)."""
    with vnc.Viewer(port) as viewer:
        viewer.press(*keys)
        viewer.picture()                               # what is typed has arrived where this has


def press_until(port, key, pattern, limit, never):
    """Presses a key again and again until the screen's text matches: for those who ask for it but a moment, and then show never."""
    limit *= vnc.PATIENCE
    end, seen = time.monotonic() + limit, ""
    with vnc.Viewer(port) as viewer:
        while time.monotonic() < end and not re.search(never, seen):
            viewer.press(key)
            seen = text(viewer.picture())
            if re.search(pattern, seen):
                return
    raise AssertionError("no %r on the screen within %d s:\n%s" % (pattern, limit, seen))


def enter(port, words, limit=60):
    """Types words and Enter; every few keys it waits until they stand on the screen, as a person would."""
    for n in range(4, len(words) + 4, 4):
        press(port, *words[n - 4:n])
        wait_for(port, r"(?m)%s$" % re.escape(words[:n].rstrip()), limit)
    press(port, ENTER)
