"""postern audit stats."""
from lib import audit
from lib.rawlog import put_lines


def record(seq, **members):
    return audit.canonical({"event": "action", "id": "01JD4ZK2M3N4P5Q6R7S8T9V0WX", "outcome": "done", "seq": seq,
                            "site": "acme", "time": 1763690000000000 + seq * 86400000000, "v": 1, **members})


def table(text, head):
    """The rows below a head, as lists of words."""
    rows = text.split(head)[1].split("\n\n")[0].splitlines()[1:]
    return [row.split() for row in rows if row]


def test_the_log_is_counted_by_day_reason_action_site_and_key(data):
    data.run("site", "add", "acme")
    put_lines(data, {seq: record(seq, action="one" if seq % 2 else "two", kid="k_aaaaaaaa") for seq in range(2, 42)})
    put_lines(data, {42: record(42, outcome="blocked", reason="token_expired", count=1000, first=1, last=2)})
    shown = data.run("audit", "stats").out
    assert shown.startswith("43 records, 0 to 42\n1042 requests")
    days = table(shown, "DAY")
    assert len(days) == 32 and days[0][0] == "earlier" and days[-1][1:] != days[0][1:]
    assert sum(int(row[2]) for row in days) == 41 and sum(int(row[4]) for row in days) == 1000
    assert table(shown, "REASON") == [["token_expired", "1000"]]
    assert table(shown, "ACTION") == [["one", "20"], ["two", "20"]]
    assert table(shown, "SITE") == [["acme", "1042"]] and table(shown, "KEY") == [["k_aaaaaaaa", "40"]]
    counted = data.run("audit", "stats", "--json").json
    assert counted["records"] == 43 and counted["counted"] == 1042 and len(counted["days"]) == 42
    assert data.run("audit", "stats", "--reason", "token_expired", "--json").json["records"] == 1


def test_the_most_counted_come_first_and_the_rest_is_one_row(data):
    data.run("site", "add", "acme")
    lines, seq = {}, 2
    for name in range(15):
        for _ in range(name + 1):
            lines[seq] = record(seq, action=f"a{name}")
            seq += 1
    put_lines(data, lines)
    rows = table(data.run("audit", "stats").out, "ACTION")
    assert rows[:2] == [["a14", "15"], ["a13", "14"]] and len(rows) == 11 and rows[-1] == ["(other)", "15"]


def test_hostile_rows_are_counted_harmless(data):
    data.check_lines = False
    data.run("site", "add", "acme")
    put_lines(data, {2: "not a record \x1b[2J", 3: '{"site":"\\u001b[31m","action":"\\u202e","outcome":7,"count":1e99}', 4: ""})
    shown = data.run("audit", "stats").out
    assert shown.startswith("5 records") and table(shown, "SITE") == [["acme", "2"], ["(other)", "1"]]
    assert not any(ord(c) < 32 and c != "\n" or c == "\u202e" for c in shown)


def test_nothing_found_says_so(data):
    data.run("site", "add", "acme")
    assert data.run("audit", "stats", "--reason", "token_expired").out == "no records\n"
    assert data.run("audit", "stats", "--site", "nope", expect=1).out == ""
    assert data.ask("audit", "stats", "--with-identity").code == 2
