#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Standard input: nm -n of the image.  Output: assembly with the table that
# vmm/boot/symbols.c searches: addresses of functions, rising, and their names.
awk '
BEGIN {
    print ".section .symbols, \"a\", @progbits"
    print ".globl symbol_count, symbol_addrs, symbol_offsets, symbol_names"
    print ".hidden symbol_count, symbol_addrs, symbol_offsets, symbol_names"
    print ".balign 8\nsymbol_addrs:"
}
$2 ~ /^[tT]$/ && $3 !~ /^(_text_|_init_text_|\.)/ && $1 != last {
    print ".quad 0x" $1
    name[n++] = $3
    last = $1
}
END {
    print "symbol_count: .quad " n + 0
    print "symbol_offsets:"
    for (i = 0; i < n; i++) {
        print ".long " at + 0
        at += length(name[i]) + 1
    }
    print "symbol_names:"
    for (i = 0; i < n; i++)
        print ".asciz \"" name[i] "\""
    print ".section .note.GNU-stack, \"\", @progbits"
}'
