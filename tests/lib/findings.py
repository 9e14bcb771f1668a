"""What postern doctor --json found."""


class Found:
    """found["url_site"]: the finding of that check; found.bad: the checks that found something to mend."""

    def __init__(self, ran):
        self.ran = ran
        self.rows = {row["check"]: row for row in ran.json["checks"]}

    def states(self, *states):
        return {check for check, row in self.rows.items() if row["state"] in states}

    @property
    def bad(self):
        return self.states("wrong", "warning")

    def __getitem__(self, check):
        return self.rows[check]
