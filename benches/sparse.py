"""fastembed and sentence-transformers as contenders of sparse.mjs, which starts this with a description as JSON."""

import numpy as np

from commands import contend, quiet

# The name decides what fastembed does behind the network; the files are those of the folder.
NAME = "prithivida/Splade_PP_en_v1"


def fastembed(spec):
    import fastembed
    from fastembed import SparseTextEmbedding

    model = SparseTextEmbedding(NAME, specific_model_path=spec["folder"], cuda=False)

    def embed(what, texts):
        return [(each.indices, each.values) for each in model.embed(texts, batch_size=spec["batch"])]

    return embed, {"fastembed": fastembed.__version__}


def sentence_transformers(spec):
    import sentence_transformers

    quiet()
    model = sentence_transformers.SparseEncoder(spec["folder"], device="cpu")

    def embed(what, texts):
        rows = model.encode(texts, batch_size=spec["batch"], convert_to_tensor=False, show_progress_bar=False)
        rows = [row.coalesce() for row in rows]
        return [(row.indices()[0].numpy(), row.values().numpy()) for row in rows]

    return embed, {"sentence-transformers": sentence_transformers.__version__}


def write(rows, to):
    np.concatenate([np.asarray(indices, dtype=np.uint32) for indices, _ in rows]).tofile(f"{to}.indices")
    np.concatenate([np.asarray(values, dtype=np.float32) for _, values in rows]).tofile(to)
    return {"lengths": [len(indices) for indices, _ in rows]}


if __name__ == "__main__":
    contend({"fastembed": fastembed, "sentence-transformers": sentence_transformers}, write)
