"""SHA-256's state after one block, which hashlib does not show: what a keyed hash that is made ready keeps of its key."""
import math
import struct
from itertools import islice

WORD = 0xFFFFFFFF


def primes():
    n = 2
    while True:
        if all(n % d for d in range(2, math.isqrt(n) + 1)):
            yield n
        n += 1


def cube_root(n):
    root = 1 << (n.bit_length() + 2) // 3
    while (better := (2 * root + n // root**2) // 3) < root:
        root = better
    return root


START = [math.isqrt(p << 64) & WORD for p in islice(primes(), 8)]          # the first 32 bits behind the point (FIPS 180-4)
ROUND = [cube_root(p << 96) & WORD for p in islice(primes(), 64)]


def turn(x, n):
    return (x >> n | x << (32 - n)) & WORD


def state_after(block):
    """The eight words after these 64 bytes, as they lie in this machine's memory."""
    w = list(struct.unpack(">16I", block))
    for i in range(16, 64):
        s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3
        s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10
        w.append((w[i - 16] + s0 + w[i - 7] + s1) & WORD)
    a, b, c, d, e, f, g, h = START
    for k, word in zip(ROUND, w):
        t1 = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (e & f ^ ~e & g) + k + word
        t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t1 + t2) & WORD, a, b, c, (d + t1) & WORD, e, f, g
    return struct.pack("=8I", *((x + y) & WORD for x, y in zip(START, (a, b, c, d, e, f, g, h))))


def hmac_states(key):
    """Of a key of at most 64 bytes: the inner and the outer one (RFC 2104)."""
    return [state_after(bytes(b ^ pad for b in key.ljust(64, b"\0"))) for pad in (0x36, 0x5C)]
