"""The Keys screen of a console, as an admin works with it: what it shows, and which keys are pressed for each change.

A change has two halves, so that a test can let something happen in between: ask(), which opens the dialog and brings it to the
button that acts, and accept(), which presses it and says what came of it."""
import re

from lib.programs import wait_until

KID = re.compile(r"k_[a-z2-7]{8}")
SECRET = re.compile(r"postern_sk_[0-9A-Za-z]{49}")
SLOT = re.compile(r"^\s+[1-3] +\S+ +(active|retiring) +(k_[a-z2-7]{8})", re.M)
OPEN = re.compile(r"[┌+][─-] (?:Create a key|Rotate k_\w{8}|Retire k_\w{8}|Keep k_\w{8}) of ")
TITLES = {"create": "Create a key of ", "rotate": "Rotate {} of ", "retire": "Retire {} of ", "keep": "Keep {} of "}
LETTERS = {"create": "c", "rotate": "r", "retire": "t", "keep": "u"}
TIMES = ["now", "in 1 h", "in 24 h", "in 48 h", "in 7 d"]
DONE = re.compile(r"is active\. Its secret|is retired and its secret|verifies until [^\n]*UTC\.\s*$|stays\.\s*$", re.M)
REFUSED = re.compile(r"^ (ring_changed|ring_full|key_gone|key_last|key_unknown|site_unknown): ", re.M)


def slots(rows):
    """{kid: state} of the keys in the ring's slots."""
    return {kid: state for state, kid in SLOT.findall("\n".join(rows))}


def message(rows):
    """The line or lines above the footer."""
    return rows[-2].strip()


class RingScreen:
    """Of a Console that shows the keys of site, a Site."""

    def __init__(self, screen, site):
        self.screen, self.site = screen, site

    def slots(self):
        return slots(self.screen.screen())

    def wait_slots(self, wanted, seconds=10):
        """Until the slots hold these: a set of kids, or {kid: state}."""
        try:
            wait_until(lambda: (self.slots() if isinstance(wanted, dict) else set(self.slots())) == wanted, "the ring", seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}: {wanted}\n" + "\n".join(self.screen.screen())) from None

    def enter_anew(self):
        """Away and back: what it shows then was read in that moment."""
        for key, panel in (("1", "[1 Sites]"), ("2", "[2 Keys]")):
            self.screen.press(key)
            self.screen.wait_for(panel)

    def select(self, kid):
        """Moves to this key's slot: the cursor is on the selected line."""
        def on_it():
            row, _ = self.screen.cursor()
            return kid in self.screen.screen()[row]
        self.screen.press("Home", *["Down"] * list(self.slots()).index(kid))
        wait_until(on_it, f"the cursor to be on {kid}")

    def ask(self, what, kid=None, when="in 48 h", label=""):
        """Opens the dialog and goes to its second button. False: it did not open, and says why."""
        self.screen.press("Home")                  # an old message goes: the next one is about this
        wait_until(lambda: not message(self.screen.screen()), "the message to go")
        if kid:
            self.select(kid)
        self.screen.press(LETTERS[what])
        rows = wait_until(lambda: self._opened(TITLES[what].format(kid)), f"the {what} dialog or a message")
        if not OPEN.search("\n".join(rows)):
            return False
        if what == "create":
            self.screen.send(label)
            self.screen.press("Enter")
        elif what in ("rotate", "retire"):
            self.screen.press(*["Left"] * len(TIMES), *["Right"] * TIMES.index(when), "Enter")
        self._type_name(rows)
        self.screen.press("Right")
        self._wait_button()
        return True

    def _opened(self, title):
        """The dialog, to its last line, which says what the keys do; or a message in its place."""
        rows = self.screen.screen()
        text = "\n".join(rows)
        return rows if (title in text and "Tab moves" in text) or (not OPEN.search(text) and message(rows)) else None

    def _type_name(self, rows):
        if "type the site's id" in "\n".join(rows):
            self.screen.send(self.site.name)
            self.screen.press("Enter")

    def _wait_button(self):
        """Until the button that acts has the focus; the hint below the buttons says so."""
        self.screen.wait_for(re.compile(r"Enter: (Create|Rotate|Retire|Keep), Tab moves, Esc cancels"))

    def accept(self):
        """Presses the button, and what answer() says."""
        self.screen.press("Enter")
        return self.answer()

    def answer(self):
        """Empty where it was done, else the code of the refusal. Of a key that was made the secret is taken, and its kid is the
        site's newest."""
        rows = wait_until(self._answer, "an answer")
        if "type the site's id" in "\n".join(rows):            # it asks once more
            self._type_name(rows)
            self.screen.press("Right")
            self._wait_button()
            return self.accept()
        secret = SECRET.search("\n".join(rows))
        if secret:
            self.take_secret(rows)
        refused = REFUSED.search("\n".join(self.screen.screen()))
        return refused.group(1) if refused else ""

    def _answer(self):
        rows = self.screen.screen()
        text = "\n".join(rows)
        asks_again = "type the site's id" in text and "[ Cancel ]" in text and "Enter goes on" in text
        return rows if SECRET.search(text) or (not OPEN.search(text) and (DONE.search(text) or REFUSED.search(text))) or \
            asks_again else None

    def take_secret(self, rows):
        text = "\n".join(rows)
        secret, kid = SECRET.search(text).group(0), KID.search(text).group(0)
        self.site.knows(kid, secret)
        self.screen.close_secret(SECRET)
        return kid

    def cancel(self):
        self.screen.press("Escape")
        self.screen.wait_gone(OPEN)

    def do(self, what, kid=None, **how):
        """Both halves, which must succeed. Returns the kid of what was made, else None."""
        before = set(self.site.keys)
        assert self.ask(what, kid, **how), "\n".join(self.screen.screen())
        refused = self.accept()
        assert not refused, "\n".join(self.screen.screen())
        return next(iter(set(self.site.keys) - before), None)
