/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLDER_DOMAIN_SHOW_H
#define POLDER_DOMAIN_SHOW_H

void show_domains(char key); /* a debug key's handler */

#endif
