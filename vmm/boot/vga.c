/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VGA text screen as a console: 80 by 25 cells at 0xb8000. Guarded by the console's lock. */
#include "boot.h"
#include "console.h"
#include "../cpu/asm.h"
#include "../lib/errno.h"
#include "../lib/string.h"
#include "../mm/page.h"

#define COLS 80U
#define ROWS 25U
#define CELL(c) ((uint16_t)(0x0700 | (uint8_t)(c)))
#define SCREEN_PHYS 0xb8000
#define BDA_VIDEO_MODE 0x449 /* of the BIOS data area */

static uint16_t cells[ROWS * COLS]; /* the screen's memory is slow to read */
static unsigned row, col;
static bool keep;

static int vga_parse(const char *value)
{
    size_t n;

    for (; *value; value += n + (value[n] == ',')) {
        n = strchr(value, ',') ? (size_t)(strchr(value, ',') - value) : strlen(value);
        if (n == 4 && strncmp(value, "keep", n) == 0)
            keep = true;
        else if (strncmp(value, "text-80x25", n) != 0 && strncmp(value, "current", n) != 0)
            return -EINVAL;
    }
    return 0;
}
BOOT_PARAM("vga", vga_parse);

static uint16_t *screen(void) { return paddr_to_virt(SCREEN_PHYS); }

static void move_cursor(void)
{
    unsigned at = row * COLS + col;

    outw(0x3d4, (uint16_t)((at & 0xff00) | 0x0e));
    outw(0x3d4, (uint16_t)((at << 8 & 0xff00) | 0x0f));
}

/* Text mode 3, as the firmware's own data says. With an EFI framebuffer or no card there is another value. */
static bool vga_init(void)
{
    if (!boot_info.vga.text || *(volatile uint8_t *)paddr_to_virt(BDA_VIDEO_MODE) != 3)
        return false;
    for (unsigned i = 0; i < ROWS * COLS; i++)
        cells[i] = CELL(' ');
    memcpy(screen(), cells, sizeof(cells));
    return true;
}

static void newline(void)
{
    col = 0;
    if (++row < ROWS)
        return;
    row = ROWS - 1;
    memmove(cells, cells + COLS, (ROWS - 1) * COLS * sizeof(*cells));
    for (unsigned i = 0; i < COLS; i++)
        cells[row * COLS + i] = CELL(' ');
}

static void vga_write(const char *s, size_t n)
{
    for (; n--; s++) {
        if (*s == '\n') {
            newline();
        } else if (*s == '\r') {
            col = 0;
        } else if (*s == '\t') {
            col = MIN((col | 7) + 1, COLS - 1);
        } else if ((uint8_t)*s >= ' ') {
            if (col == COLS)
                newline();
            cells[row * COLS + col++] = CELL(*s);
        }
    }
    memcpy(screen(), cells, sizeof(cells));
    move_cursor();
}

struct console_device vga_console = {.name = "vga", .init = vga_init, .write = vga_write};

void console_vga_release(void)
{
    if (!keep)
        vga_console.enabled = false;
}
