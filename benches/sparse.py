"""fastembed and sentence-transformers as contenders of sparse.mjs, which starts this with a description as JSON.

Loads one model once, then answers lines of JSON on standard input with lines of JSON, as peers.py does.
"""

import json
import time

import numpy as np

from commands import obey, serve

# The name decides what fastembed does behind the network; the files are those of the folder.
NAME = "prithivida/Splade_PP_en_v1"


class FastEmbed:
    def __init__(self, spec):
        import fastembed
        from fastembed import SparseTextEmbedding

        self.batch = spec["batch"]
        self.model = SparseTextEmbedding(NAME, specific_model_path=spec["folder"], cuda=False)
        self.about = {"fastembed": fastembed.__version__}

    def embed(self, texts):
        return [(each.indices, each.values) for each in self.model.embed(texts, batch_size=self.batch)]


class SentenceTransformers:
    def __init__(self, spec):
        import sentence_transformers
        import transformers

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        self.batch = spec["batch"]
        self.model = sentence_transformers.SparseEncoder(spec["folder"], device="cpu")
        self.about = {"sentence-transformers": sentence_transformers.__version__}

    def embed(self, texts):
        rows = self.model.encode(texts, batch_size=self.batch, convert_to_tensor=False, show_progress_bar=False)
        rows = [row.coalesce() for row in rows]
        return [(row.indices()[0].numpy(), row.values().numpy()) for row in rows]


class Work:
    """What is asked for, by name."""

    def __init__(self, spec):
        self.model = (FastEmbed if spec["kind"] == "fastembed" else SentenceTransformers)(spec)
        with open(spec["texts"]) as file:
            self.sets = json.load(file)

    def vectors(self, what, to):
        rows = self.model.embed(self.sets[what])
        np.concatenate([np.asarray(indices, dtype=np.uint32) for indices, _ in rows]).tofile(f"{to}.u32")
        np.concatenate([np.asarray(values, dtype=np.float32) for _, values in rows]).tofile(f"{to}.f32")
        return {"lengths": [len(indices) for indices, _ in rows]}

    def timed(self, what, count):
        texts = self.sets[what][:count]
        start = time.perf_counter()
        self.model.embed(texts)
        return {"count": len(texts), "ms": (time.perf_counter() - start) * 1000}


def prepare(spec):
    work = Work(spec)
    return work, work.model.about


if __name__ == "__main__":
    serve(prepare, obey)
