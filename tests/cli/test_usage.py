"""Syntax, help and exit codes: what scripts rely on, whatever the command."""
import os
import re
import subprocess

import pytest

from lib.datadir import postern
from lib.programs import environment, program


def commands():
    """(noun, verb) of every command, from the program's own help."""
    found = re.findall(r"^  postern ([a-z]+)(?: ([a-z]+))? ", postern("help").out, re.M)
    assert len(found) > 20
    return found


def words(command):
    return [w for w in command if w]


@pytest.mark.parametrize("args", [
    [], ["nonsense"], ["key"], ["key", "nonsense"], ["key", "list"], ["key", "list", "acme", "more"],
    ["key", "list", "acme", "--label", "x"], ["--nonsense"], ["-x"], ["site", "list", "--data"],
    ["site", "add", "acme", "--plan", "pro", "--plan", "free"], ["site", "add", "acme", "--require-exp=yes"],
    ["site", "add", "acme", "--no-plan"], ["key", "retire", "acme", "k_aaaaaaaa"],
    ["key", "retire", "acme", "k_aaaaaaaa", "--now", "--in", "1h"], ["key", "rotate", "acme", "--grace", "soon"],
    ["key", "retire", "acme", "k_aaaaaaaa", "--at", "2001-01-01"], ["key", "retire", "acme", "k_aaaaaaaa", "--in", "0s"],
    ["token", "mint", "acme", "--email", "alex@example.com"], ["audit", "list", "--limit", "0"],
    ["audit", "list", "--outcome", "perhaps"], ["audit", "export", "--reason", "nonsense"],
    ["audit", "export", "--email", "alex@example.com"], ["audit", "export", "--format", "xml"],
    ["site", "add", "Acme"], ["site", "add", "acme", "--max-lifetime", "25h"], ["site", "set", "acme"],
    ["action", "run", "acme", "x", "--parameters", "[]"], ["action", "run", "acme", "x", "--parameters", "{"],
])
def test_wrong_usage_is_exit_2_and_says_so_on_stderr(args, tmp_path):
    ran = postern(*args, env={"POSTERN_DATA": tmp_path / "none"})
    assert ran.code == 2, ran
    assert ran.out == "" and ran.err, ran


@pytest.mark.parametrize("args, command", [
    (["key", "rotate", "acme", "--nonsense"], "postern key rotate --help"), (["key", "rotate", "acme", "--grace", "soon"], "postern key rotate --help"),
    (["key", "rotate", "acme", "--label", "x", "--plan", "pro"], "postern key rotate --help"), (["doctor", "-x"], "postern doctor --help"),
    (["site", "add", "acme", "--plan", "gold"], "postern site add --help"),
    (["site", "add", "acme", "--origin", "acme.example"], "postern site add --help"),
    (["--nonsense", "key", "list"], "postern help"), (["key", "--data"], "postern help"), (["key", "nonsense"], "postern help"),
])
def test_wrong_usage_says_where_the_help_is(args, command):
    assert postern(*args).err.endswith(f"see: {command}\n")


def test_help_of_everything_is_on_stdout():
    for args in (["help"], ["--help"], ["-h"]):
        ran = postern(*args)
        assert ran.code == 0 and "postern key create SITE" in ran.out and ran.err == "", ran


def test_every_command_has_help_in_two_ways():
    for command in commands():
        ran = postern(*words(command), "--help")
        assert ran.code == 0 and ran.out.startswith("postern " + " ".join(words(command))), ran
        assert "--data DIR" in ran.out and "--json" in ran.out and "--version" in ran.out, ran
        assert postern("help", *words(command)).out == ran.out


def test_help_for_programs_is_of_what_was_asked():
    every = postern("help", "--json").json["commands"]
    assert len(every) == len(commands())
    assert postern("help", "key", "--json").json["commands"] == [c for c in every if c["noun"] == "key"]
    [one] = postern("help", "key", "rotate", "--json").json["commands"]
    assert one["verb"] == "rotate"
    assert postern("help", "key", "nonsense", "--json").code == 2 and postern("help", "migrate", "now", "--json").code == 2


def test_help_of_a_noun_lists_its_verbs():
    ran = postern("key", "--help")
    assert ran.code == 0 and "rotate" in ran.out and "mint" not in ran.out


def test_version():
    assert re.fullmatch(r"postern \d+\.\d+\.\d+\n", postern("--version").out)


def test_options_come_before_or_after_operands_and_in_both_spellings(data):
    data.run("site", "add", "acme")
    for args in (["--data", data.path, "site", "show", "acme"], ["site", "--data", data.path, "show", "acme"],
                 [f"--data={data.path}", "site", "show", "--", "acme"]):
        assert postern(*args).code == 0, args


def test_two_dashes_end_the_options(data):
    ran = postern("--data", data.path, "site", "show", "--", "--json")
    assert ran.code == 1 and "site_unknown" in ran.err, ran


def test_data_is_found_by_the_environment(data):
    assert postern("site", "list", env={"POSTERN_DATA": data.path}).code == 0


def test_no_data_directory_is_exit_3_and_says_what_to_run(tmp_path):
    ran = postern("site", "list", "--data", tmp_path / "none")
    assert ran.code == 3 and "postern init" in ran.err, ran


def test_unknown_things_are_exit_1(data):
    data.run("site", "add", "acme")
    for args, code in ((["site", "show", "nope"], "site_unknown"), (["key", "list", "nope"], "site_unknown"),
                       (["key", "retire", "acme", "k_aaaaaaaa", "--now"], "key_unknown"),
                       (["key", "keep", "acme", "nonsense"], "key_unknown"),
                       (["action", "show", "acme", "nope"], "action_unknown"),
                       (["document", "list", "acme", "nope"], "collection_unknown"),
                       (["audit", "list", "--site", "nope"], "site_unknown"),
                       (["site", "show", "../etc/passwd"], "site_unknown")):
        ran = data.run(*args, expect=1)
        assert code in ran.err and ran.out == "", ran
        assert data.run(*args, "--json", expect=1).json["error"] == code


def test_what_is_unknown_leaves_no_record(data):
    data.run("key", "create", "nope", expect=1)
    data.run("key", "retire", "nope", "k_aaaaaaaa", "--now", expect=1)
    assert data.audit_lines() == []


def run_into(stdout, *args):
    return subprocess.run([program("postern"), *map(str, args)], stdout=stdout, stderr=subprocess.PIPE, text=True,
                          env=environment(), check=False, timeout=60)


@pytest.mark.parametrize("command", [["site", "list"], ["site", "list", "--json"], ["audit", "export"], ["help"]])
def test_a_failed_write_to_stdout_is_exit_3(data, command):
    data.run("site", "add", "acme")
    with open("/dev/full", "w", encoding="utf-8") as full:
        ran = run_into(full, *command, "--data", data.path)
    assert ran.returncode == 3 and "standard output" in ran.stderr, ran


def test_a_reader_that_leaves_is_exit_3_too(data):
    data.run("site", "add", "acme")
    read, write = os.pipe()
    os.close(read)
    ran = run_into(write, "audit", "export", "--data", data.path)
    os.close(write)
    assert ran.returncode == 3, ran


def test_a_closed_stdout_is_exit_3_and_harms_no_file(data):
    data.run("site", "add", "acme")
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", program("postern"), "site", "show", "acme", "--data", str(data.path)],
                          env=environment(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3, done
    data.run("site", "show", "acme")


def test_outside_text_cannot_move_the_cursor(data):
    data.run("site", "add", "acme")
    for args in (["site", "show", "\x1b[2J"], ["audit", "list", "--reason", "\x1b]0;x\x07"], ["\x1b[31m"]):
        ran = data.ask(*args)
        assert "\x1b" not in ran.err + ran.out and "\\x1b" in ran.err + "\\x1b" * (args[0] == "site"), ran


def test_what_may_be_a_secret_is_not_said_again(data):
    for args in (("key", "import", "acme", "--secret=postern_sk_canary"), ("key", "list", "acme", "postern_sk_canary")):
        ran = data.run(*args, expect=2)
        assert "canary" not in ran.out + ran.err
