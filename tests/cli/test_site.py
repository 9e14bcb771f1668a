"""postern site."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.programs import wait_until
from lib.vault import damage_rows

pytestmark = pytest.mark.tree("sanitized")


def test_every_setting_is_kept_and_shown(data):
    data.run("site", "add", "acme", "--name", "Äcme", "--plan", "business", "--sign-in-url", "https://acme.example/in",
             "--origin", "https://a.example", "--origin", "https://b.example:8443", "--accept-domain", "Test",
             "--reserve-domain", "bücher.example", "--max-lifetime", "12h", "--require-exp", "--issuer", "i", "--audience", "a")
    shown = data.run("site", "show", "acme", "--json").json
    assert shown.pop("created_at") > 1_700_000_000
    assert shown == {"site": "acme", "name": "Äcme", "plan": "business", "sign_in_url": "https://acme.example/in",
                     "origins": ["https://a.example", "https://b.example:8443"], "accept_domains": ["test"],
                     "reserve_domains": ["xn--bcher-kva.example"], "max_lifetime": 43200, "require_exp": True,
                     "issuer": "i", "audience": "a"}
    assert "https://b.example:8443" in data.run("site", "show", "acme").out


def test_defaults(data):
    data.run("site", "add", "acme")
    shown = data.run("site", "show", "acme", "--json").json
    shown.pop("created_at")
    assert shown == {"site": "acme", "name": None, "plan": "pro", "sign_in_url": None, "origins": [], "accept_domains": [],
                     "reserve_domains": [], "max_lifetime": 86400, "require_exp": False, "issuer": None, "audience": None}


def test_set_replaces_lists_and_no_option_clears(data):
    data.run("site", "add", "acme", "--origin", "https://a.example", "--issuer", "i", "--require-exp", "--max-lifetime", "1h",
             "--plan", "free")
    shown = data.run("site", "set", "acme", "--origin", "https://b.example", "--origin", "https://c.example", "--no-issuer",
                     "--json").json
    assert shown["origins"] == ["https://b.example", "https://c.example"] and shown["issuer"] is None
    assert shown["require_exp"] is True and shown["max_lifetime"] == 3600 and shown["plan"] == "free"
    shown = data.run("site", "set", "acme", "--no-origin", "--no-require-exp", "--no-max-lifetime", "--no-plan", "--json").json
    assert shown["origins"] == [] and shown["require_exp"] is False
    assert shown["max_lifetime"] == 86400 and shown["plan"] == "pro"


@pytest.mark.parametrize("option, value", [
    ("--origin", "https://a.example/"), ("--origin", "https://A.example"), ("--origin", "a.example"), ("--origin", "null"),
    ("--origin", "https://a.example:443"), ("--origin", "http://a.example:80"), ("--origin", "https://a.example:0"),
    ("--origin", "https://a.example:70000000"), ("--origin", "https://u@a.example"), ("--origin", "*"), ("--origin", ""),
    ("--sign-in-url", "javascript:alert(1)"), ("--sign-in-url", "https://"), ("--sign-in-url", "https://a.example/\n"),
    ("--sign-in-url", "https://a.example/ b"), ("--accept-domain", "a..b"), ("--accept-domain", "a@b"), ("--accept-domain", ""),
    ("--reserve-domain", "-a.example"), ("--max-lifetime", "0s"), ("--max-lifetime", "2d"), ("--max-lifetime", "99999d"),
    ("--plan", "gold"), ("--name", "a\x1b[2J"), ("--name", "x" * 1024), ("--name", "a\u202eb"), ("--issuer", b"\xff\xfe"),
])
def test_values_that_cannot_be_are_exit_2_and_change_nothing(data, option, value):
    data.run("site", "add", "acme")
    before = data.run("site", "show", "acme", "--json").json, data.audit_lines()
    value = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
    data.run("site", "set", "acme", option, value, expect=2)
    data.run("site", "add", "other", option, value, expect=2)
    assert (data.run("site", "show", "acme", "--json").json, data.audit_lines()) == before
    data.run("site", "show", "other", expect=1)


def test_an_id_is_given_once_even_after_removal(data):
    data.run("site", "add", "acme")
    assert "site_exists" in data.run("site", "add", "acme", expect=1).err
    data.run("site", "remove", "acme", "--yes")
    assert "site_exists" in data.run("site", "add", "acme", expect=1).err


def test_remove_needs_yes_where_nobody_can_be_asked(data):
    data.run("site", "add", "acme")
    ran = data.run("site", "remove", "acme", expect=2)
    assert "--yes" in ran.err
    data.run("site", "show", "acme")


def test_remove_takes_everything_but_the_records(data):
    rows = [{"collection": "orders", "id": str(i), "owner": None, "data": {}} for i in range(500)]
    site = data.add_site("acme", documents=rows)
    other = data.add_site("acme-2", documents=rows[:3])
    data.run("site", "remove", "acme", "--yes")
    for args in (["site", "show", "acme"], ["key", "list", "acme"], ["document", "list", "acme", "orders"]):
        data.run(*args, expect=1)
    assert len(data.run("document", "list", "acme-2", "orders", "--json").json) == 3
    assert data.run("key", "list", "acme-2", "--json").json[0]["kid"] == other.kid
    done = data.audit(event="site", site="acme", outcome="done")[-1]
    assert done["detail"] == {"change": "remove", "keys": 1, "documents": 500}
    assert [r["kid"] for r in data.audit(event="key", site="acme", outcome="done")] == [site.kid]
    assert len(data.run("audit", "export", "--site", "acme").out.splitlines()) > 0


def test_list_is_whole_and_in_order_beyond_one_slice(data):
    names = sorted(f"s{i}" if i % 3 else f"s{i}-" for i in range(0, 600, 2))
    for name in names:
        data.run("site", "add", name)
    assert [s["site"] for s in data.run("site", "list", "--json").json] == sorted(names)
    assert [line.split()[0] for line in data.run("site", "list").out.splitlines()[1:]] == sorted(names)
    some = [name for name in sorted(names) if "s1" in name]
    assert [s["site"] for s in data.run("site", "list", "--match", "S1", "--json").json] == some
    assert len(some) > 10


def test_a_list_of_nothing_is_an_empty_document(data):
    assert data.run("site", "list", "--json").json == []


def test_a_list_tells_of_settings_keys_and_events(data):
    data.add_site("acme", "--name", "Äcme")
    data.run("site", "add", "other", "--plan", "free")
    first, second = data.run("site", "list", "--json").json
    shown = data.run("site", "show", "acme", "--json").json
    made = data.audit(site="acme")[-1]["time"] // 1_000_000
    assert first == {**shown, "keys_active": 1, "keys_retiring": 0, "verified_1m": 0, "blocked_1m": 0, "last_event": made}
    assert second["site"] == "other" and second["keys_active"] == 0 and second["plan"] == "free"
    data.sites["acme"].rotate()
    data.sites["acme"].add_key()
    first, _ = data.run("site", "list", "--json").json
    assert (first["keys_active"], first["keys_retiring"]) == (2, 1)
    line = data.run("site", "list", "--match", "ACME").out.splitlines()[1]
    assert line.split()[:2] == ["acme", "pro"] and "3 of 3" in line and line.endswith("Äcme")


def test_a_list_counts_the_last_minute(data, site, http):
    data.run("site", "add", "quiet")
    for _ in range(3):
        assert http.identity(site.name, site.token()).status == 200
    for _ in range(2):
        assert http.identity(site.name, "x.y.z").status == 401

    def counted():
        listed = data.run("site", "list", "--json").json[0]
        return listed if listed["verified_1m"] == 3 else None
    listed = wait_until(counted, "the uses to be counted")
    assert listed["site"] == "acme" and listed["blocked_1m"] == 2
    assert abs(listed["last_event"] - time.time()) < 60
    quiet = data.run("site", "list", "--match", "quiet", "--json").json
    assert [(s["verified_1m"], s["blocked_1m"]) for s in quiet] == [(0, 0)]


def test_a_match_is_in_the_id_or_the_name(data):
    data.run("site", "add", "acme", "--name", "Corner Shop")
    data.run("site", "add", "shop-2")
    data.run("site", "add", "zoo")
    for text, found in (("SHOP", ["acme", "shop-2"]), ("corner s", ["acme"]), ("nothing", []), ("", ["acme", "shop-2", "zoo"])):
        assert [s["site"] for s in data.run("site", "list", "--match", text, "--json").json] == found
    assert data.run("site", "list", "--match", "nothing").out.splitlines()[1:] == []


def test_a_ring_that_cannot_be_read_hides_no_site(data, site):
    data.add_site("other")
    assert damage_rows(data, "rings", b"acme") == 1
    first, second = data.run("site", "list", "--json").json
    assert (first["site"], first["keys_active"], first["keys_retiring"]) == ("acme", None, None)
    assert (second["site"], second["keys_active"]) == ("other", 1)
    assert data.run("site", "list").out.splitlines()[1].split()[:3] == ["acme", "pro", "?"]


def test_changes_are_recorded_by_the_names_of_settings_never_their_values(data):
    data.run("site", "add", "acme", "--issuer", "https://secret-ish.example")
    data.run("site", "set", "acme", "--plan", "free", "--no-issuer")
    added, changed = data.audit(event="site", outcome="done")
    assert added["detail"] == {"change": "add", "settings": ["issuer"]}
    assert changed["detail"] == {"change": "set", "settings": ["plan", "issuer"]}
    assert "secret-ish" not in "".join(data.audit_lines())


def test_two_admins_at_once_do_not_undo_each_others_settings(data):
    edits = (("--require-exp",), ("--issuer", "i"), ("--audience", "a"), ("--max-lifetime", "1h"))
    data.run("site", "add", "acme")
    with ThreadPoolExecutor(len(edits)) as pool:
        for _ in range(4):
            data.run("site", "set", "acme", "--no-require-exp", "--no-issuer", "--no-audience", "--no-max-lifetime")
            list(pool.map(lambda edit: data.run("site", "set", "acme", *edit), edits))
            shown = data.run("site", "show", "acme", "--json").json
            assert (shown["require_exp"], shown["issuer"], shown["audience"], shown["max_lifetime"]) == (True, "i", "a", 3600)


def test_nobody_is_asked_about_a_site_that_is_not_there(data):
    assert "site_unknown" in data.run("site", "remove", "nosite", expect=1).err
