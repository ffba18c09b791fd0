"""fastembed and sentence-transformers as contenders of late.mjs, which starts this with a description as JSON.

Loads one model once, then answers lines of JSON on standard input with lines of JSON, as peers.py does.
"""

import json
import time

import numpy as np

from commands import obey, serve

# The name decides what fastembed does before and behind the network; the files are those of the folder.
NAME = "colbert-ir/colbertv2.0"


class FastEmbed:
    def __init__(self, spec):
        import fastembed
        from fastembed import LateInteractionTextEmbedding

        self.batch = spec["batch"]
        self.model = LateInteractionTextEmbedding(NAME, specific_model_path=spec["folder"], cuda=False)
        self.about = {"fastembed": fastembed.__version__}

    def documents(self, texts):
        return list(self.model.embed(texts, batch_size=self.batch))

    def queries(self, texts):
        return list(self.model.query_embed(texts))


class SentenceTransformers:
    def __init__(self, spec):
        import sentence_transformers
        import transformers

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        self.batch = spec["batch"]
        self.model = sentence_transformers.MultiVectorEncoder(spec["folder"], device="cpu")
        self.about = {"sentence-transformers": sentence_transformers.__version__}

    def documents(self, texts):
        return self.model.encode_document(texts, batch_size=self.batch, convert_to_numpy=True, show_progress_bar=False)

    def queries(self, texts):
        return self.model.encode_query(texts, batch_size=self.batch, convert_to_numpy=True, show_progress_bar=False)


class Work:
    """What is asked for, by name. `what`: documents or queries."""

    def __init__(self, spec):
        self.model = (FastEmbed if spec["kind"] == "fastembed" else SentenceTransformers)(spec)
        with open(spec["texts"]) as file:
            self.sets = json.load(file)

    def vectors(self, what, to):
        matrices = getattr(self.model, what)(self.sets[what])
        np.concatenate([np.asarray(each, dtype=np.float32).reshape(-1) for each in matrices]).tofile(to)
        return {"rows": [len(each) for each in matrices], "width": int(np.asarray(matrices[0]).shape[1])}

    def timed(self, what, count):
        texts = self.sets[what][:count]
        start = time.perf_counter()
        getattr(self.model, what)(texts)
        return {"count": len(texts), "ms": (time.perf_counter() - start) * 1000}


def prepare(spec):
    work = Work(spec)
    return work, work.model.about


if __name__ == "__main__":
    serve(prepare, obey)
