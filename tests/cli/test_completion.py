"""Completion in a real bash: what a user gets who presses Tab, asked of the function that `complete` names."""
import json
import os
import re
import subprocess

import pytest

from lib.codes import CODES
from lib.datadir import postern
from lib.programs import BUILD, environment, tool

ASK = r"""
source "$SCRIPT"
IFS=${SEPARATOR-$IFS}
entry=$(complete -p "${1##*/}") || exit 9
[[ $entry =~ -F\ ([a-z_]+) ]] || exit 9
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"${BASH_REMATCH[1]}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "postern"
    path.write_text(postern("completion").out, encoding="utf-8")
    return path


@pytest.fixture
def press(script, tmp_path):
    """press("key", "ro"): the words that Tab offers. The last is the one being typed. A folder of its own, and empty."""
    def press_tab(*words, program="postern", options="", **env):
        path = str(BUILD) + ":" + environment()["PATH"]
        command = [tool("bash"), "--norc", "--noprofile", *options.split(), "-c", ASK, "bash", program, *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
                              env={**environment(SCRIPT=script, **{"POSTERN_DATA": tmp_path / "none", **env}), "PATH": path})
        assert done.returncode == 0 and done.stderr == "", done
        return done.stdout.split("\n")[:-1] if done.stdout != "\n" else []
    return press_tab


def table():
    return postern("help", "--json").json


def test_the_table_as_json_is_the_help():
    names = {" ".join(filter(None, (c["noun"], c.get("verb"), c["operands"]))) for c in table()["commands"]}
    shown = re.findall(r"^  postern (.*?)  ", postern("help").out.replace("  DIR", " DIR").replace("  [NOUN]", " [NOUN]"), re.M)
    assert names == set(shown) and len(names) > 30
    assert {o["name"] for o in table()["everywhere"]} == {"data", "json", "help", "version"}


def test_nouns_and_verbs(press):
    commands = table()["commands"]
    assert set(press("")) == {c["noun"] for c in commands}
    assert press("do") == ["document", "doctor"]
    for noun in {c["noun"] for c in commands if c.get("verb")}:
        assert press(noun, "") == [c["verb"] for c in commands if c["noun"] == noun]
    assert press("nonsense", "") == [] and press("key", "nonsense", "") == []
    assert press("--data", "x", "key", "ro") == ["rotate"] and press("key", "--json", "ro") == ["rotate"]


def test_every_option_of_every_command(press):
    for command in table()["commands"]:
        words = [w for w in (command["noun"], command.get("verb")) if w]
        want = {"--data", "--json", "--help", *("--" + o["name"] for o in command["options"]),
                *("--no-" + o["name"] for o in command["options"] if o["clearable"])}
        assert set(press(*words, "--")) == want, command
    assert press("site", "set", "acme", "--no-o") == ["--no-origin"]
    assert press("key", "retire", "acme", "--", "--n") == [], "-- ends the options"


@pytest.mark.parametrize("words, want", [
    (("site", "add", "acme", "--plan", ""), ["free", "pro", "business"]),
    (("site", "add", "acme", "--plan", "="), ["free", "pro", "business"]),
    (("site", "add", "acme", "--plan", "=", "b"), ["business"]),
    (("audit", "list", "--outcome", ""), ["intended", "done", "refused", "blocked", "failed"]),
    (("audit", "export", "--format", "c"), ["csv", "cef"]),
    (("audit", "list", "--reason", "email_n"), ["email_not_public"]),
    (("audit", "list", "--since", ""), []),
    (("audit", "show", ""), []),
    (("help", "ba"), ["backup"]),
    (("help", "key", "ro"), ["rotate"]),
])
def test_values(press, words, want):
    assert press(*words) == want


def test_every_reason(press):
    assert set(press("audit", "list", "--reason", "")) == set(CODES) - {"none"}


def test_files_and_directories_where_they_belong(press, tmp_path):
    (tmp_path / "a file.json").write_text("", encoding="utf-8")
    (tmp_path / "a-folder").mkdir()
    for words in (("action", "import", "acme", ""), ("document", "import", "acme", "a"), ("audit", "verify", ""),
                  ("token", "explain", "acme", ""), ("token", "mint", "acme", "--secret-file", ""), ("audit", "verify", "--note", ""),
                  ("audit", "export", "--state", ""), ("audit", "prune", "--archive", ""), ("action", "run", "a", "b", "--token-file", "")):
        assert sorted(press(*words)) == ["a file.json", "a-folder"], words
    for words in (("backup", ""), ("restore", "a"), ("--data", ""), ("key", "list", "--data", "=", "a")):
        assert press(*words) == ["a-folder"], words
    for words in (("key", "list", ""), ("doctor", ""), ("key", "create", "acme", ""), ("site", "add", "acme", "--name", "")):
        assert press(*words) == [], words


def test_sites_keys_and_actions_are_asked_of_the_data(press, data):
    site = data.add_site("acme", actions={"actions": [{"name": "say_hello", "title": "", "description": "", "access": "public",
                         "effect": "read", "parameters": {"type": "object"}, "connector": {"type": "static", "result": 1}}]})
    other = data.add_site("zoo")
    first, second = site.kid, site.add_key()
    here = {"POSTERN_DATA": data.path}
    assert press("key", "list", "", **here) == ["acme", "zoo"]
    assert press("key", "list", "z", **here) == ["zoo"]
    assert press("audit", "list", "--site", "a", **here) == ["acme"]
    assert set(press("key", "retire", "acme", "", **here)) == {first, second}
    assert press("audit", "list", "--site", "zoo", "--kid", "k_", **here) == [other.kid]
    assert press("action", "show", "acme", "", **here) == ["say_hello"] == press("audit", "list", "--site", "acme", "--action", "", **here)
    assert press("key", "list", "--data", data.path, "") == ["acme", "zoo"], "the directory may be named on the line"
    assert press("key", "list", "--data", "=", data.path, "") == ["acme", "zoo"]
    assert press("key", "list", "") == [], "what cannot be read is not there, and nothing is said about it"
    assert data.audit(event="identity") == [] and len(data.audit(event="site")) == 4, "asking leaves no record"


def test_it_works_whatever_the_shell_was_told(press, data):
    data.add_site("acme")
    for options in ("-u", "-o posix", "-O failglob", "-O nullglob", "-f", "-e"):
        assert press("key", "rotate", "ac", options=options, POSTERN_DATA=data.path) == ["acme"], options
        assert press("site", "add", "x", "--plan", "f", options=options) == ["free"], options
    assert press("key", "ro", SEPARATOR="o") == ["rotate"]


def test_a_file_named_like_an_operand_is_not_taken_for_one(press, tmp_path):
    for name in ("K", "I", "D", "[KID]"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert press("key", "rotate", "acme", "") == []


# ---- attacks ----

HOSTILE = ['x","site":"evil","kid":"k_eeeeeeee', '","site":"evil', "$(touch PWNED)", "`touch PWNED`", ";touch PWNED;", "* ~ {a,b} $HOME \\"]


def test_attack_names_and_labels_that_would_be_words_or_commands(press, data, tmp_path):
    for i, text in enumerate(HOSTILE):
        data.add_site(f"site-{i}", "--name", text, key=False)
        kid = data.run("key", "create", f"site-{i}", "--json", "--label", text[:64]).json["kid"]
        assert press("key", "retire", f"site-{i}", "", POSTERN_DATA=data.path) == [kid]
    assert press("key", "list", "", POSTERN_DATA=data.path) == [f"site-{i}" for i in range(len(HOSTILE))]
    assert "PWNED" not in os.listdir(tmp_path)


def test_attack_a_line_that_would_run_while_it_is_typed(press, tmp_path):
    for text in HOSTILE:
        press("key", "retire", text, "")
        press("key", "list", "--data", text, "")
        press(text, "")
        press("key", text)
        press("action", "import", "acme", text)
        press("--data", text)
        press("audit", "list", "--site", text, "--kid", "")
    assert "PWNED" not in os.listdir(tmp_path)


def test_attack_a_program_whose_answer_is_hostile(script, tmp_path):
    """A worker that was taken over cannot write the vault; still, what comes back is words of one pattern or nothing."""
    evil = tmp_path / "postern"
    answer = json.dumps([{"site": text} for text in [*HOSTILE, "a b", "$(id)", "UPPER"]] + [{"site": "good"}], separators=(",", ":"))
    evil.write_text("#!/bin/sh\ncat <<'END'\n" + answer + "\nEND\n", encoding="utf-8")
    evil.chmod(0o755)
    done = subprocess.run([tool("bash"), "--norc", "-c", ASK, "bash", str(evil), "key", "list", ""], capture_output=True,
                          text=True, check=False, timeout=30, env=environment(SCRIPT=script), cwd=tmp_path)
    assert done.stdout == "good\n" and "PWNED" not in os.listdir(tmp_path), done


# ---- the two other programs ----

def test_the_worker_and_the_console(press, data, tmp_path):
    data.add_site("acme")
    (tmp_path / "folder").mkdir()
    for name in ("postern-fcgi", "postern-console"):
        shown = subprocess.run([BUILD / name, "--help"], capture_output=True, text=True, check=True).stdout
        assert set(press("--", program=name)) == set(re.findall(r"^  (--[a-z-]+)", shown, re.M))
        assert press("--data", "", program=name) == ["folder"]
    assert press("--log-level", "w", program="postern-fcgi") == ["warning"]
    assert press("--peer", "roo", program="postern-fcgi") == ["root"]
    assert press("--threads", "", program="postern-fcgi") == []
    assert press("--color", "=", "n", program="postern-console") == ["never"]
    assert press("--data", data.path, "--site", "a", program="postern-console") == ["acme"]
