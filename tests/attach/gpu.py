#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of a program that is given to a GPU of NVIDIA, by its driver's library.

Exit status 77: there is none.  With the word "ask" nothing else is looked at.
"""
import ctypes
import mmap
import sys

MIB = 1 << 20
TOTAL, GIVEN = 96 * MIB, 8 * MIB
WORD = 0x4d4d4d4d


def driver():
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        sys.exit(77)
    count = ctypes.c_int(0)
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or \
            not count.value:
        sys.exit(77)
    return cuda


def check(result, what):
    if result:
        sys.exit(f"{what}: error {result} of the driver")


def page(number, turn):
    return (number * 2654435761 + turn).to_bytes(8, "little") * 512


def expect(memory, first, last, turn):
    for i in range(first, last):
        if memory[i * 4096:(i + 1) * 4096] != page(i, turn):
            sys.exit(f"page {i} is wrong")


def expect_word(memory, when):
    if memory[:GIVEN] != WORD.to_bytes(4, "little") * (GIVEN // 4):
        sys.exit(f"what the GPU has written is lost {when}")


def main():
    cuda = driver()
    if "ask" in sys.argv:
        return
    context, gpu = ctypes.c_void_p(), ctypes.c_uint64()
    check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), "context")
    check(cuda.cuCtxSetCurrent(context), "context")
    check(cuda.cuMemAlloc_v2(ctypes.byref(gpu), ctypes.c_size_t(GIVEN)),
          "memory of the GPU")

    pages, given = TOTAL // 4096, GIVEN // 4096
    memory = mmap.mmap(-1, TOTAL, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for i in range(pages):
        memory[i * 4096:(i + 1) * 4096] = page(i, 1)

    # Copies, of pages that are here and of others, to the GPU and back.
    for at in range(0, TOTAL // 2, GIVEN):
        check(cuda.cuMemcpyHtoD_v2(gpu, ctypes.c_void_p(start + at),
                                   ctypes.c_size_t(GIVEN)), "copy")
        check(cuda.cuMemcpyDtoH_v2(ctypes.c_void_p(start + TOTAL // 2 + at),
                                   gpu, ctypes.c_size_t(GIVEN)), "copy back")
    for i in range(pages // 2):
        both = memory[i * 4096:(i + 1) * 4096]
        again = pages // 2 + i
        if both != page(i, 1) or \
                memory[again * 4096:(again + 1) * 4096] != both:
            sys.exit(f"page {i} was copied wrong")

    # Pinned: the GPU writes while the rest of the memory comes and goes.
    check(cuda.cuMemHostRegister_v2(ctypes.c_void_p(start),
                                    ctypes.c_size_t(GIVEN), 0), "register")
    expect(memory, given, pages // 2, 1)
    check(cuda.cuMemsetD32_v2(gpu, WORD, ctypes.c_size_t(GIVEN // 4)), "set")
    check(cuda.cuMemcpyDtoH_v2(ctypes.c_void_p(start), gpu,
                               ctypes.c_size_t(GIVEN)), "write")
    expect_word(memory, "at once")
    expect(memory, given, pages // 2, 1)
    expect_word(memory, "after a while")
    check(cuda.cuMemHostUnregister(ctypes.c_void_p(start)), "unregister")
    expect(memory, given, pages // 2, 1)
    expect_word(memory, "when it was let go")


main()
