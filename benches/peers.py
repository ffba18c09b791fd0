"""sentence-transformers as a contender of peers.mjs: answers lines of standard input with lines of JSON."""
import json
import resource
import sys
import time

from sentence_transformers import SentenceTransformer

model_path, data, count, limit, lone = sys.argv[1:]
texts = json.load(open(data))["mixed"][: int(count)]
lone = json.loads(lone)
model = SentenceTransformer(model_path, device="cpu", backend="torch")
model.max_seq_length = int(limit)


def timed(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


answers = {
    "vectors": lambda: model.encode(texts).tolist(),
    "all": lambda: {"ms": timed(lambda: model.encode(texts))},
    "one": lambda: [timed(lambda: model.encode(text)) for text in lone],
    "memory": lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}
print('"ready"', flush=True)
for line in sys.stdin:
    print(json.dumps(answers[line.strip()]()), flush=True)
