"""Makes a ColBERT of a known model's shape with random weights: speed depends on the shape, and no download is needed.

    python make_colbert.py small --like ../shared/models/all-MiniLM-L6-v2 --work FOLDER

Writes FOLDER/colbert-small, a repository as Stanford's ColBERT saves it: model.safetensors with the projection, artifact.metadata, onnx/model.onnx (the
network alone), the tokenizer of the model that it is like; and for fastembed model.onnx with the projection behind the network, scaled to length 1.
The seed is fixed. Needs torch, transformers and safetensors. The folder appears under its name only once it is whole.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import warnings

import torch
import transformers
from safetensors.torch import save_file

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
from make_model import TOKENIZER, export, model_of  # noqa: E402

# The shapes of answerai-colbert-small-v1 and of colbertv2.0.
SHAPES = {"small": ("bge-small", 96), "base": ("bge-base", 128)}


class Projected(torch.nn.Module):
    def __init__(self, model, weight):
        super().__init__()
        self.model, self.weight = model, weight

    def forward(self, ids, mask):
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return torch.nn.functional.normalize(hidden @ self.weight.T, dim=-1)


def export_projected(model, weight, target):
    """Without token types: fastembed puts its marker into the other two inputs only."""
    ids = torch.randint(1000, 30000, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    names = ["input_ids", "attention_mask", "contextual"]
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in names}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Projected(model, weight).eval(), (ids, mask), target, input_names=names[:2], output_names=names[2:], dynamic_axes=axes, opset_version=17,
            dynamo=False, do_constant_folding=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--like", required=True, help="folder of the model whose tokenizer is copied")
    parser.add_argument("--work", required=True, help="where the folder goes")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()

    target = os.path.join(options.work, f"colbert-{options.shape}")
    part = f"{target}.part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(os.path.join(part, "onnx"))
    shape, dimensions = SHAPES[options.shape]
    model = model_of(shape, options.seed)
    weight = torch.randn(dimensions, model.config.hidden_size) / model.config.hidden_size**0.5
    config = model.config.to_dict() | {"architectures": ["HF_ColBERT"]}
    with open(os.path.join(part, "config.json"), "w") as file:
        json.dump({key: value for key, value in config.items() if not key.startswith("_")}, file, indent=2)
    tensors = {f"bert.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors | {"linear.weight": weight}, os.path.join(part, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(part, "artifact.metadata"), "w") as file:
        json.dump({"query_maxlen": 32, "doc_maxlen": 512, "dim": dimensions, "mask_punctuation": True}, file, indent=2)
    for name in TOKENIZER:
        if os.path.exists(os.path.join(options.like, name)):
            shutil.copyfile(os.path.join(options.like, name), os.path.join(part, name))
    # What the model that it is like says of lengths is that of its training.
    path = os.path.join(part, "tokenizer_config.json")
    with open(path) as file:
        tokenizer = json.load(file) | {"model_max_length": 512}
    tokenizer.pop("max_length", None)
    with open(path, "w") as file:
        json.dump(tokenizer, file, indent=2)
    export(model, f"{part}/onnx/model.onnx")
    export_projected(model, weight, f"{part}/model.onnx")
    shutil.rmtree(target, ignore_errors=True)
    os.rename(part, target)
    print(target)


if __name__ == "__main__":
    main()
