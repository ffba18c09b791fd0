"""What the benchmarks' processes in Python have in common: they are started with a description, say what they are, and then answer a command a line.

Every answer is a line of JSON; a failure is one with "error".
"""

import json
import sys


def serve(prepare, perform):
    """`prepare(description)` gives the work and what is said of it first; `perform(work, command)` gives the answer to a command."""

    def say(answer):
        print(json.dumps(answer), flush=True)

    def failure(error):
        return {"error": f"{type(error).__name__}: {error}"}

    try:
        work, about = prepare(json.loads(sys.argv[1]))
    except Exception as error:
        say(failure(error))
        raise SystemExit(1) from error
    say({"ready": about})
    for line in sys.stdin:
        try:
            say(perform(work, json.loads(line)))
        except Exception as error:
            say(failure(error))


def obey(work, command):
    """Calls the method that the command names, with the rest of it as arguments."""
    return getattr(work, command.pop("do"))(**command)
