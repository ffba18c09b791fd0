"""What the benchmarks' processes in Python have in common: they are started with a description, say what they are, and then answer a command a line.

Every answer is a line of JSON; a failure is one with "error".
"""

import json
import sys
import time


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


class Work:
    """A contender of field.mjs: `embed(what, texts)` makes vectors of the texts of a set, and `write(vectors, path)` files of them, and the answer."""

    def __init__(self, embed, write, texts):
        self.embed, self.write = embed, write
        with open(texts) as file:
            self.sets = json.load(file)

    def outputs(self, what, to):
        return self.write(self.embed(what, self.sets[what]), to)

    def timed(self, what):
        start, before = time.perf_counter(), time.process_time()
        self.embed(what, self.sets[what])
        return {"ms": (time.perf_counter() - start) * 1000, "cpu": (time.process_time() - before) * 1000}


def contend(peers, write):
    """Answers field.mjs: `peers[kind](description)` loads one model and gives its `embed`, and what is said of it first."""

    def prepare(spec):
        embed, about = peers[spec["kind"]](spec)
        return Work(embed, write, spec["texts"]), about

    serve(prepare, obey)


def quiet():
    """transformers, without bars and warnings on standard output."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
