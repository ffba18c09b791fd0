"""fastembed and sentence-transformers as contenders of late.mjs, which starts this with a description as JSON."""

import numpy as np

from commands import contend, quiet

# The name decides what fastembed does before and behind the network; the files are those of the folder.
NAME = "colbert-ir/colbertv2.0"


def fastembed(spec):
    import fastembed
    from fastembed import LateInteractionTextEmbedding

    model = LateInteractionTextEmbedding(NAME, specific_model_path=spec["folder"], cuda=False)

    def embed(what, texts):
        return list(model.embed(texts, batch_size=spec["batch"]) if what == "documents" else model.query_embed(texts))

    return embed, {"fastembed": fastembed.__version__}


def sentence_transformers(spec):
    import sentence_transformers

    quiet()
    model = sentence_transformers.MultiVectorEncoder(spec["folder"], device="cpu")

    def embed(what, texts):
        encode = model.encode_document if what == "documents" else model.encode_query
        return encode(texts, batch_size=spec["batch"], convert_to_numpy=True, show_progress_bar=False)

    return embed, {"sentence-transformers": sentence_transformers.__version__}


def write(matrices, to):
    np.concatenate([np.asarray(each, dtype=np.float32).reshape(-1) for each in matrices]).tofile(to)
    return {"rows": [len(each) for each in matrices], "width": int(np.asarray(matrices[0]).shape[1])}


if __name__ == "__main__":
    contend({"fastembed": fastembed, "sentence-transformers": sentence_transformers}, write)
