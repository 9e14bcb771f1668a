"""The commands of a page: its fenced blocks, and what the words behind a fence's language say about them.

    ```sh run               commands, each block a bash -eu of its own
    ```sh run=NAME,NAME     the same, only where one of these names is meant
    ```sh run or=1          ends with 0 or 1
    ```text shows           what the block before it prints, line by line, in this order; … stands for any text
    ```text                 neither: a listing to read

A language besides sh is a program or a configuration that a test gives to who reads such.

A block of commands without a mark is a mistake, and so is one the reader of the page does not know."""
import re

from lib.programs import ROOT

FENCE = re.compile(r"^(```+)[ ]*(\S*)[ ]*(.*?)[ ]*$")
COMMANDS = ("sh", "python", "js", "lighttpd")
LISTINGS = ("text", "json")
GENERATED = re.compile(r"<!-- (\w[\w -]*) -->\n.*?<!-- /\1 -->", re.S)        # scripts/check-docs writes and checks these


class Block:
    def __init__(self, page, number, language, words, heading):
        self.page, self.number, self.language, self.words, self.heading = page, number, language, words, heading
        self.lines = []
        self.shows = None

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)

    @property
    def names(self):
        """The names behind run=; an empty set for a plain run; None for a block nobody runs."""
        for word in self.words:
            if word == "run":
                return set()
            if word.startswith("run="):
                return set(word[4:].split(","))
        return None

    @property
    def codes(self):
        """The exit codes it may end with: 0, and that of an or=."""
        return {0, *(int(word[3:]) for word in self.words if word.startswith("or="))}

    @property
    def where(self):
        return f"{self.page}:{self.number} ({self.heading})"

    def __repr__(self):
        return self.where


def blocks(page):
    """All fenced blocks of a page of the tree, in order, but those that check-docs generates."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = GENERATED.sub(lambda match: "\n" * match.group(0).count("\n"), text)
    found, block, fence, heading = [], None, None, "beginning"
    for number, line in enumerate(text.split("\n"), 1):
        match = FENCE.match(line)
        if block is None and match:
            fence, language, words = match.groups()
            block = Block(page, number, language, words.split(), heading)
        elif block is not None and line == fence:
            found.append(block)
            block = None
        elif block is not None:
            block.lines.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    assert block is None, f"{page}:{block.number}: a fence that does not end"
    return attach(found)


def attach(found):
    """What a `shows` lists belongs to the block before it; both keep their places."""
    before = None
    for block in found:
        if "shows" in block.words:
            assert before is not None and before.shows is None, f"{block.where}: shows what?"
            before.shows = block.lines
        before = block if block.names is not None else None
    return found


def problems(found, known):
    """What is wrong with the marks: names are those the tests of this page know."""
    for block in found:
        unknown = (block.names or set()) - set(known)
        if block.names is None and block.language not in LISTINGS:
            yield f"{block.where}: no test runs it: mark it run or run=NAME, or make it ```text"
        elif block.names is not None and block.language not in COMMANDS:
            yield f"{block.where}: to run, and not of {', '.join(COMMANDS)}"
        elif unknown:
            yield f"{block.where}: no test knows run={','.join(sorted(unknown))}"


def pattern_of(line):
    """Where the page has a space there is white space; round … there may be none."""
    words = line.split()
    out = ""
    for i, word in enumerate(words):
        loose = i and (words[i - 1].endswith("…") or word.startswith("…"))
        out += ("" if i == 0 else r"\s*" if loose else r"\s+") + ".*".join(re.escape(part) for part in word.split("…"))
    return re.compile(out)


def missing(shows, printed):
    """The first line of shows that is not, in its order, among the printed lines; None if all are."""
    rest = iter([line.strip() for line in printed.split("\n")])
    for line in shows:
        if line.strip() and not any(pattern_of(line).fullmatch(got) for got in rest):
            return line
    return None
