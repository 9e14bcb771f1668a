#!/usr/bin/env python3
"""Verifies an export of the audit log without Postern: verify-audit.py FILE VKEY (VKEY: what `postern audit vkey` printed).
Exit 0: verified; 1: altered or cut off; 2: wrong usage; 3: it cannot be told. Needs Python's standard library and the openssl command."""
import base64, hashlib, json, pathlib, subprocess, sys, tempfile
def end(code, text):
    sys.exit(print({0: "verified: ", 1: "altered: ", 3: "unverifiable: "}[code] + text) or code)
def node(left, right): return hashlib.sha256(b"\1" + left + right).digest()
def decoded(texts): return [base64.b64decode(text, validate=True) for text in texts]
def add(hashes, size, new):                     # RFC 9162 2.1: the roots of the perfect subtrees, the largest first
    while size & 1: new, size = node(hashes.pop(), new), size >> 1
    hashes.append(new)
def root(hashes):
    top = hashes[-1] if hashes else hashlib.sha256().digest()
    for left in hashes[-2::-1]: top = node(left, top)
    return top
def walk(at, last, old, new, proof):            # RFC 9162 2.1.3.2 and 2.1.4.2: the old root, and the new one
    for other in proof:
        if at & 1 or at == last:
            old, new = node(other, old), node(other, new)
            while at and not at & 1: at, last = at >> 1, last >> 1
        else: new = node(new, other)
        at, last = at >> 1, last >> 1
    return (old, new) if last == 0 else (None, None)
def checkpoint(note, vkey):                     # C2SP signed note and checkpoint: the size and the root it speaks of
    (name, number, key), (text, signatures) = vkey.split("+", 2), note.split(b"\n\n", 1)
    origin, size, top = text.decode().split("\n")[:3]
    if not all(s.startswith("\u2014 ".encode()) for s in signatures.splitlines()): end(3, "lines follow the checkpoint")
    by_name = decoded(s.split(b" ")[2] for s in signatures.splitlines() if s.startswith(f"\u2014 {name} ".encode()))
    ours = [s[4:] for s in by_name if s[:4].hex() == number]
    if origin != name or not ours: end(3, f"the checkpoint is of {origin}, and not signed by this key")
    with tempfile.TemporaryDirectory() as d:
        der = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(key)[1:]
        for file, content in (("text", text + b"\n"), ("sig", ours[0]), ("key", der)): pathlib.Path(d, file).write_bytes(content)
        command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile sig"
        if subprocess.run(command.split(), cwd=d, capture_output=True).returncode: end(1, "the checkpoint was altered")
    return int(size), decoded([top])[0]
def main(path, vkey):
    hashes, first, count, last, leaf, proofs, link, note, moved = [], 0, 0, -1, None, [], (), b"", False
    for line in (file := open(path, "rb")):
        if not line.startswith(b"{"): note = line + file.read(); break
        if link: end(1, "lines follow the one that ends the records")
        value = json.loads(line)
        if "export" in value and len(value) == 3:   # once, and first: what was hashed by then would be forgotten
            if count or hashes or len(value["hashes"]) != bin(value["first"]).count("1"): end(1, "the first line is damaged")
            hashes, first = decoded(value["hashes"]), value["first"]
        elif "proof" in value and len(value) == 2: proofs.append((value["seq"], last, leaf, decoded(value["proof"])))
        elif "consistency" in value and len(value) == 2: link = (value["size"], decoded(value["consistency"]))
        else:
            if value["seq"] <= last: end(1, f"record {value['seq']} comes twice, or out of its order")
            leaf, last = hashlib.sha256(b"\0" + line.rstrip(b"\n")).digest(), value["seq"]
            moved |= last != first + count          # one that is not hashed is not verified
            if not proofs and not moved: add(hashes, last, leaf)
            count += 1
    (size, top), have = checkpoint(note, vkey) if note else end(3, "there is no checkpoint in the file"), first + count
    for seq, of, leaf, proof in proofs:
        if seq != of or not seq < size or walk(seq, size - 1, leaf, leaf, proof)[1] != top: end(1, f"record {of} is not proved")
    if proofs: end(int(len({seq for seq, *_ in proofs}) < count), f"{len(proofs)} of {count} records proved")
    if moved: end(1, "records are missing, or moved")
    if link and count and have == link[0] < size:        # the next lines: from where the checkpoint's root grows out of ours
        proof, turns = link[1] if have & (have - 1) else [root(hashes)] + link[1], (have & -have).bit_length() - 1
        ours, top = walk(have - 1 >> turns, size - 1 >> turns, proof[0], proof[0], proof[1:]), (root(hashes), top)
    else: ours, top = (root(hashes), have), (top, size)
    end(int(ours != top), f"{count} records from {first} on, of {size} that the checkpoint speaks of")
try: main(*sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(print(__doc__, file=sys.stderr) or 2)
except (ValueError, KeyError, TypeError, IndexError, OSError) as problem: end(3, f"no export that can be read: {problem}")
