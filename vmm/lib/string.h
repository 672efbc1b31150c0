/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory and string functions of C, freestanding; strtoull as strtoul is there, with C's rules. */
#ifndef POLDER_LIB_STRING_H
#define POLDER_LIB_STRING_H

#ifdef POLDER_HOST
#include <stdlib.h>
#include <string.h>
#include "types.h"
#else
#include "types.h"
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *sub);
unsigned long long strtoull(const char *s, char **end, int base);
#endif
/* For 4 KiB, aligned to that. clear_page() goes past the caches: for pages whose next user comes later, or elsewhere. */
void clear_page(void *page);
bool page_is_zero(const void *page);
/* Copies at most size - 1 characters and always terminates (size > 0). Returns strlen(src). */
size_t polder_strlcpy(char *dst, const char *src, size_t size);

#endif
