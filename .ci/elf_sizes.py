#!/usr/bin/env python3
"""Prints what an ELF file takes in a microcontroller's flash, bytes of code, of constants, and of initial values; then its static RAM.

Reads the section headers: only what is loaded (SHF_ALLOC) counts, and of flash what stands in the file (not SHT_NOBITS). Unwinding tables
(.ARM.exidx, .ARM.extab, .eh_frame) are constants too, if the linker kept them.
"""

import struct
import sys

SHT_NOBITS, SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 8, 1, 2, 4


def sizes(path):
    data = open(path, "rb").read()
    if data[:4] != b"\x7fELF" or data[4] != 1 or data[5] != 1:
        raise SystemExit(f"{path}: no 32-bit little-endian ELF file")
    (offset,) = struct.unpack_from("<I", data, 0x20)
    entry_size, count = struct.unpack_from("<HH", data, 0x2E)
    code = constants = initial = cleared = 0
    for i in range(count):
        _name, kind, flags, _address, _offset, size = struct.unpack_from("<6I", data, offset + i * entry_size)
        if not flags & SHF_ALLOC:
            continue
        if kind == SHT_NOBITS:
            cleared += size
        elif flags & SHF_EXECINSTR:
            code += size
        elif flags & SHF_WRITE:
            initial += size
        else:
            constants += size
    if code == 0:
        raise SystemExit(f"{path}: no code, so the entry point was not linked")
    return code, constants, initial, initial + cleared


if __name__ == "__main__":
    print(*sizes(sys.argv[1]))
