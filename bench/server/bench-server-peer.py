#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for the memory server of the original design, to be measured.

Python, one thread for each client, one request at a time on a connection: eight
bytes of address come in, the 32 pages of that block go out, each as a tag (0xAA
zero, 0xBB raw) and its bytes.  Read-only.  Written from the description of the
design; none of its code was used.
"""

import argparse
import random
import socket
import struct
import threading

PAGE = 4096
BLOCK = 32 * PAGE
ZERO = bytes(PAGE)


def receive(conn, length):
    """Exactly so many bytes, or None at the end of the stream."""
    data = b""
    while len(data) < length:
        more = conn.recv(length - len(data))
        if not more:
            return None
        data += more
    return data


def block(memory, address):
    """Tags and bytes of 32 pages."""
    start = address % len(memory) // BLOCK * BLOCK
    out = []
    for at in range(start, start + BLOCK, PAGE):
        page = memory[at:at + PAGE]
        if page == ZERO:
            out.append(b"\xAA")
        else:
            out.append(b"\xBB" + page)
    return b"".join(out)


def client(conn, memory):
    with conn:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            request = receive(conn, 8)
            if request is None:
                return
            (address,) = struct.unpack("<Q", request)
            conn.sendall(block(memory, address))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=int, default=256 << 20,
                        help="bytes, a multiple of 128 KiB")
    args = parser.parse_args()
    memory = bytearray(random.Random(1).randbytes(1 << 20) *
                       -(-args.memory // (1 << 20)))[:args.memory]
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(f"serving on 127.0.0.1:{server.getsockname()[1]}", flush=True)
        while True:
            conn, _ = server.accept()
            threading.Thread(target=client, args=(conn, memory),
                             daemon=True).start()


if __name__ == "__main__":
    main()
