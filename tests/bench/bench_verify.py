"""bench_verify.py -- one verification with every check of design 5, beside libjwt on the same token."""
import json
import subprocess
import tempfile

from run import median, ratio

METHOD = """
tests/bench/bench-verify.c, one thread: a token of 7 claims (an HS256 header, issuer, email, name, user_id, plan, iat, exp)
is taken from the Authorization value, verified with all checks and its identity pinned, as the path does for each request,
the key ring being read from a vault beforehand and the header's memo warm. libjwt 1.10 (Debian) decodes the same token
with the key that signed it, known to it beforehand (where the token does not name it, its user tries one after the other,
as ours does), and its user checks alg, exp, iat, nbf and that there is an email. 5,000 verifications of each kind a round;
the kinds take turns, each round beginning with another. Nanoseconds are medians over the rounds, ratios the medians of
each round's ratio."""

GOOD = ("one key", "three keys, named", "three keys, the third, not named")
ALTERNATIVE = {"one key": "libjwt, one key", "three keys, named": "libjwt, three keys, the right one at once",
               "three keys, the third, not named": "libjwt, three keys, one after the other"}
BAD = {"one key, bad signature": "one key", "three keys, bad signature, named": "three keys, named",
       "three keys, bad signature": "three keys, the third, not named"}
OTHERS = {"one key, expired": "with the token's fingerprint for the log, which a good one needs not",
          "libjwt, one key": "", "libjwt, three keys, the right one at once": "",
          "libjwt, three keys, one after the other": "where its user cannot tell which of three signed",
          "libjwt, bad signature": "",
          "subject": "not in the above: the email's pseudonym, which the path computes for the log",
          "vault read": "not in the above: a snapshot of the vault and the site's versions in it",
          "hmac": "part of the above: the signature alone", "jansson": "part of the above: the payload's JSON alone"}


def figures(env):
    with tempfile.TemporaryDirectory(dir=env.home) as home:
        done = subprocess.run([env.program("bench-verify"), home, str(env.rounds(41))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    took = json.loads(done.stdout)
    for name in GOOD:
        yield {"name": name, "value": median(took[name]), "unit": "ns", "goal": ("<=", 2800)}
        yield {"name": f"{name}: times faster than libjwt", "value": ratio(took, ALTERNATIVE[name], name), "unit": "x",
               "goal": (">=", 1.8)}
    yield {"name": "three keys, the third, not named: to libjwt that is told the key", "unit": "x",
           "value": ratio(took, "libjwt, three keys, the right one at once", "three keys, the third, not named")}
    for name, good in BAD.items():
        yield {"name": f"{name}: ratio to a good one", "value": ratio(took, name, good), "unit": "x", "goal": ("<=", 1.0),
               "note": f"{median(took[name]):.0f} ns"}
    for name, note in OTHERS.items():
        yield {"name": name, "value": median(took[name]), "unit": "ns", "note": note}
