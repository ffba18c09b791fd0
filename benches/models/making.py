"""What the makers of the benchmarks' models have in common: known shapes with random weights. Speed depends on the shape, and no download is needed.

A maker writes a folder as a Hub repository is: model.safetensors, onnx/model.onnx, the tokenizer of another model, small files. The seed is fixed. The
folder appears under its name only once it is whole. They need torch, transformers and safetensors; most check their ONNX files by onnxruntime.
"""

import argparse
import json
import logging
import os
import shutil
import warnings

import torch
import transformers

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# More than the 0.02 that training starts from: with those the first token's vector hardly depends on the text.
SPREAD = 0.08
CONFIG = {"vocab_size": 30522, "max_position_embeddings": 512, "initializer_range": SPREAD, "attn_implementation": "eager"}


def seeded(make, seed):
    """A model with biases and norms that are not 0 and 1, as trained ones have: a contender that forgets one must not go unseen."""
    torch.manual_seed(seed)
    model = make().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.02)
            elif "norm" in name.lower():
                parameter.normal_(1, 0.05)
    return model


class Exported(torch.nn.Module):
    """The network with its inputs by position and one output, as torch.onnx.export wants it."""

    def __init__(self, model, read, names):
        super().__init__()
        self.model, self.read, self.names = model, read, names

    def forward(self, *inputs):
        return self.read(self.model(**dict(zip(self.names, inputs))))


def export(model, read, output, target, inputs=INPUTS, axes=(0, 1)):
    """`read` takes from what the model gives the tensor that is the output; its `axes` are the batch and the tokens."""
    ids = torch.randint(1000, 30000, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    given = (ids, mask, torch.zeros_like(ids))[: len(inputs)]
    names = {0: "batch_size", 1: "sequence_length"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Exported(model, read, inputs).eval(), given, target, input_names=list(inputs), output_names=[output],
            dynamic_axes={name: names for name in inputs} | {output: {axis: names[axis] for axis in axes}}, opset_version=17, dynamo=False,
            do_constant_folding=True,
        )


def write(folder, files):
    for name, value in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump(value, file, indent=2)


def copy_tokenizer(like, folder):
    for name in TOKENIZER:
        if os.path.exists(os.path.join(like, name)):
            shutil.copyfile(os.path.join(like, name), os.path.join(folder, name))
    # What a tokenizer says of lengths is that of its own model.
    with open(os.path.join(folder, "tokenizer_config.json")) as file:
        settings = json.load(file)
    settings.pop("max_length", None)
    write(folder, {"tokenizer_config.json": settings | {"model_max_length": 512}})


def main(doc, shapes, name, make):
    """The command line of a maker: `make(shape, seed, folder)` writes a model; `name` is that of its folder, with `{}` for the shape."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("shape", choices=shapes)
    parser.add_argument("--like", required=True, help="folder of the model whose tokenizer is copied")
    parser.add_argument("--work", required=True, help="where the folder goes")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()

    target = os.path.join(options.work, name.format(options.shape))
    part = f"{target}.part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(os.path.join(part, "onnx"))
    copy_tokenizer(options.like, part)
    make(options.shape, options.seed, part)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(part, target)
    print(target)
