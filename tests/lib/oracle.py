"""What our own code answers, for tests that ask an independent implementation too: tests/fuzz/oracle.c."""
import json
import subprocess

from lib.programs import environment, program


def ask(questions):
    """One answer for each question."""
    text = "".join(json.dumps(q) + "\n" for q in questions)
    done = subprocess.run([program("tests/fuzz/oracle")], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env=environment(), timeout=500)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    return answers
