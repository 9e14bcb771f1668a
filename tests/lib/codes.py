"""The codes of shared/base/codes.h as they are compiled, so that a new one without a test is noticed."""
import re
from dataclasses import dataclass

from lib.programs import ROOT


@dataclass(frozen=True)
class Code:
    name: str
    status: int             # 0: never an answer's own code
    sentence: str


def read_codes():
    text = (ROOT / "shared/base/codes.h").read_text(encoding="utf-8")
    rows = re.findall(r'\tX\(\w+,\s*"(\w+)",\s*(\d+),\s*"([^"]*)"\)', text.split("#define REASON_LIST(X)")[1])
    assert len(rows) > 40, "codes.h is written differently now"
    return {name: Code(name, int(status), sentence) for name, status, sentence in rows}


CODES = read_codes()
PUBLIC = {name for name, code in CODES.items() if code.status}


def between(first, last):
    """The names from first to last, in the order of the header."""
    names = list(CODES)
    return names[names.index(first):names.index(last) + 1]


TOKEN_FAULTS = between("token_malformed", "email_malformed")        # each blocks
UNUSABLE_EMAILS = between("email_reserved", "email_not_public")     # each is anonymous
