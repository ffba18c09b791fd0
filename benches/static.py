"""model2vec and sentence-transformers as contenders of static.mjs, which starts this with a description as JSON."""

import numpy as np

from commands import contend, quiet


def model2vec(spec):
    import model2vec

    model = model2vec.StaticModel.from_pretrained(spec["folder"])
    return lambda what, texts: model.encode(texts), {"model2vec": model2vec.__version__}


def sentence_transformers(spec):
    import sentence_transformers

    quiet()
    model = sentence_transformers.SentenceTransformer(spec["folder"], device="cpu")

    def embed(what, texts):
        return model.encode(texts, batch_size=spec["batch"], show_progress_bar=False)

    return embed, {"sentence-transformers": sentence_transformers.__version__}


def write(rows, to):
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    rows.tofile(to)
    return {"rows": len(rows), "width": rows.shape[1]}


if __name__ == "__main__":
    contend({"model2vec": model2vec, "sentence-transformers": sentence_transformers}, write)
