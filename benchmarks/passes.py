"""The passes that a check of FP4 codes cannot do without, and nothing else: what is left of the read limit for it.

    python benchmarks/passes.py FILE THREADS [read]     prints seconds

Each thread reads pieces of the file in turn and counts the codes at the ceiling: nine calls of numpy for a piece, each
a pass over what the one before has written. With `read` the pieces are read and not looked at.
"""

from __future__ import annotations

import os
import sys
import time
from threading import Lock, Thread

import numpy as np

_PIECE = 4 << 20  # bytes, as in a check


def count(codes: np.ndarray, scratch: np.ndarray) -> int:
    """How many of the FP4 codes in bytes have the magnitude 7."""
    np.bitwise_and(codes, np.uint8(0x77), out=scratch)
    np.add(scratch, np.uint8(0x11), out=scratch)
    np.bitwise_and(scratch, np.uint8(0x88), out=scratch)
    words = scratch.view(np.uint64)
    for shift in (1, 2):
        words, other = words.reshape(2, -1)
        np.right_shift(other, np.uint64(shift), out=other)
        np.bitwise_or(words, other, out=words)
    return int(np.bitwise_count(words).sum(dtype=np.uint32))


def main(path: str, threads: int, looking: bool) -> None:
    """Read, or read and count, a file."""
    file = os.open(path, os.O_RDONLY)
    starts, lock = iter(range(0, os.fstat(file).st_size, _PIECE)), Lock()

    def work() -> None:
        codes, scratch = np.zeros(_PIECE, np.uint8), np.empty(_PIECE, np.uint8)
        while True:
            with lock:
                start = next(starts, None)
            if start is None:
                return
            os.preadv(file, [codes.data], start)
            if looking:
                count(codes, scratch)

    started = time.perf_counter()
    running = [Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), "read" not in sys.argv[3:])
