#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two programs on two machines talk through memory that they share.

    giantvm run --servers HOST:PORT --shared board:1M@/tmp/board --node 0 -- \\
        python3 board.py /tmp/board ping
    giantvm run --servers HOST:PORT --shared board:1M@/tmp/board --node 1 -- \\
        python3 board.py /tmp/board pong

Nothing here knows of giantvm: the script maps a file, as it would to share
memory with a neighbour on the same machine.  Each line that is printed was
written by the other side.
"""
import mmap
import sys
import time

PAGE = 4096             # what moves between machines: one thing to a page
COUNT, TURN, TEXT = 0, PAGE, 2 * PAGE
ROUNDS = 1000


def get(board, at):
    return int.from_bytes(board[at:at + 8], "little")


def put(board, at, value):
    board[at:at + 8] = value.to_bytes(8, "little")


def say(board, text):
    data = text.encode()
    board[TEXT:TEXT + len(data) + 1] = data + b"\0"


def heard(board):
    return board[TEXT:TEXT + 200].split(b"\0")[0].decode()


def main():
    path, me = sys.argv[1], sys.argv[2]
    mine = 0 if me == "ping" else 1
    with open(path, "r+b") as f:
        board = mmap.mmap(f.fileno(), 0)
    if mine == 0:
        say(board, "the ball is yours")
    start = None
    for _ in range(ROUNDS):
        while get(board, TURN) % 2 != mine:
            time.sleep(0)               # let others have the CPU
        if start is None:
            start = time.monotonic()
            if mine == 1:
                print(f"{me} heard: {heard(board)}")
        put(board, COUNT, get(board, COUNT) + 1)
        put(board, TURN, get(board, TURN) + 1)
    took = time.monotonic() - start
    if mine == 1:
        say(board, f"we counted to {get(board, COUNT)}")
        put(board, TURN, get(board, TURN) + 1)
    else:
        while get(board, TURN) < 2 * ROUNDS + 1:
            time.sleep(0)
        print(f"{me} heard: {heard(board)}")
    print(f"{me}: {ROUNDS / took:.0f} turns a second")


if __name__ == "__main__":
    main()
