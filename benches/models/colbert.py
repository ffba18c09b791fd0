"""Makes a ColBERT of a known model's shape: colbert-small or colbert-base.

    python colbert.py small --like ../shared/models/all-MiniLM-L6-v2 --work FOLDER

A repository as Stanford's ColBERT saves it: the projection is in model.safetensors, artifact.metadata, and onnx/model.onnx is the network alone; and for
fastembed model.onnx with the projection behind the network, scaled to length 1.
"""

import torch
from safetensors.torch import save_file

from bert import export_hidden, model_of
from making import INPUTS, export, main, write

# The shapes of answerai-colbert-small-v1 and of colbertv2.0.
SHAPES = {"small": ("bge-small", 96), "base": ("bge-base", 128)}


def make(name, seed, folder):
    shape, dimensions = SHAPES[name]
    model = model_of(shape, seed)
    weight = torch.randn(dimensions, model.config.hidden_size) / model.config.hidden_size**0.5
    config = model.config.to_dict() | {"architectures": ["HF_ColBERT"]}
    write(folder, {
        "config.json": {key: value for key, value in config.items() if not key.startswith("_")},
        "artifact.metadata": {"query_maxlen": 32, "doc_maxlen": 512, "dim": dimensions, "mask_punctuation": True},
    })
    tensors = {f"bert.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors | {"linear.weight": weight}, f"{folder}/model.safetensors", metadata={"format": "pt"})
    export_hidden(model, f"{folder}/onnx/model.onnx")

    def projected(given):
        return torch.nn.functional.normalize(given.last_hidden_state @ weight.T, dim=-1)

    # Without token types: fastembed puts its marker into the other two inputs only.
    export(model, projected, "contextual", f"{folder}/model.onnx", INPUTS[:2])


if __name__ == "__main__":
    main(__doc__, SHAPES, "colbert-{}", make)
