"""A wall clock that steps: a key that was once seen past its time never verifies again."""
from lib import notes
from lib.shim import Shim
from lib.worker import Worker

GRACE_S = 600


def test_a_key_seen_past_its_time_stays_retired_when_the_clock_steps_back(data, site):
    token = site.token(ttl=7200)
    unnamed = site.token(ttl=7200, named=False)
    site.rotate("--grace", f"{GRACE_S}s")
    shim = Shim(data, "clock")
    with Worker(data, "--audit-budget", "0", env=shim.env) as worker:
        def verified(t):
            answer = notes.identity(worker, t)
            assert answer.status == 200 or (answer.status, answer.code) == (401, "token_invalid"), str(answer)
            return answer.status == 200
        assert verified(token) and verified(unnamed) and verified(site.token())
        shim["clock_offset_s"] = GRACE_S - 30
        assert verified(token), "its time is not over yet"
        shim["clock_offset_s"] = GRACE_S + 30
        assert not verified(token)
        for offset in (0, GRACE_S - 30, -86400 * 365, GRACE_S + 30, 0):
            shim["clock_offset_s"] = offset
            for _ in range(6):          # whichever thread takes it
                assert not verified(token) and not verified(unnamed), f"at {offset} the clock brought it back"
        assert verified(site.token()), "the other key is as it was"
        shim["clock_offset_s"] = 0
    reasons = {r["reason"] for r in data.audit(outcome="blocked")}
    assert "key_retired" in reasons and reasons <= {"key_retired", "signature_mismatch", "token_not_yet_valid"}, reasons


def test_the_first_command_past_its_time_deletes_the_key_for_every_clock(data, site):
    old, token = site.kid, site.token(ttl=7200)
    site.rotate("--grace", f"{GRACE_S}s")
    shim = Shim(data, "clock")
    shim["clock_offset_s"] = GRACE_S + 30
    data.run("key", "list", site.name, env=shim.env)
    with Worker(data) as worker:        # at the true time, before retire_at
        assert notes.identity(worker, token).code == "token_invalid"
    assert data.run("key", "keep", site.name, old, expect=1).err
    assert {k["kid"]: k["state"] for k in data.run("key", "list", site.name, "--json").json}[old] == "retired"


def test_tokens_follow_the_wall_clock_both_ways(data, site):
    token = site.token(ttl=300)
    shim = Shim(data, "clock")
    with Worker(data, env=shim.env) as worker:
        for offset, code in [(0, None), (301, "token_expired"), (0, None), (-120, "token_invalid"), (0, None)]:
            shim["clock_offset_s"] = offset
            assert notes.identity(worker, token).code == code, offset
        shim["clock_offset_s"] = 0
