/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Included before every file: nothing is exported, so every symbol is reached relative to RIP. */
#ifndef __ASSEMBLY__
#pragma GCC visibility push(hidden)
#endif
