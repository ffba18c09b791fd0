"""model2vec and sentence-transformers as contenders of static.mjs, which starts this with a description as JSON.

Loads one model once, then answers lines of JSON on standard input with lines of JSON, as peers.py does.
"""

import json
import time

import numpy as np

from commands import obey, serve


class Work:
    def __init__(self, spec):
        with open(spec["texts"]) as file:
            self.texts = json.load(file)
        if spec["kind"] == "model2vec":
            import model2vec

            model = model2vec.StaticModel.from_pretrained(spec["folder"])
            self.embed = model.encode
            self.about = {"model2vec": model2vec.__version__}
        else:
            import sentence_transformers

            model = sentence_transformers.SentenceTransformer(spec["folder"], device="cpu")
            self.embed = lambda texts: model.encode(texts, batch_size=spec["batch"], show_progress_bar=False)
            self.about = {"sentence-transformers": sentence_transformers.__version__}

    def vectors(self, count, to):
        rows = np.ascontiguousarray(self.embed(self.texts[:count]), dtype=np.float32)
        rows.tofile(to)
        return {"rows": len(rows), "width": rows.shape[1]}

    def timed(self):
        start, before = time.perf_counter(), time.process_time()
        self.embed(self.texts)
        return {"ms": (time.perf_counter() - start) * 1000, "cpu": (time.process_time() - before) * 1000}


def prepare(spec):
    work = Work(spec)
    return work, work.about


if __name__ == "__main__":
    serve(prepare, obey)
