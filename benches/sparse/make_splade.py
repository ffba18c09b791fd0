"""Makes a SPLADE model of a known shape with random weights: speed depends on the shape, and no download is needed.

    python make_splade.py distil --like ../shared/models/all-MiniLM-L6-v2 --work FOLDER

Writes FOLDER/splade-distil: model.safetensors, onnx/model.onnx (logits, as Optimum exports them; model.onnx is the same file, which fastembed looks for),
the tokenizer of the model that it is like, and the small files of sentence-transformers. The seed is fixed. The decoder's bias is set so that a text of 64 tokens has some 200 weights, as trained models
have; the vectors mean nothing. Needs torch, transformers and onnxruntime. The folder appears under its name only once it is whole.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import warnings

import numpy as np
import onnxruntime
import torch
import transformers
from transformers import BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
from make_model import SPREAD, TOKENIZER  # noqa: E402

COMMON = {"vocab_size": 30522, "max_position_embeddings": 512, "initializer_range": SPREAD, "attn_implementation": "eager"}
SHAPES = {
    "distil": lambda: DistilBertForMaskedLM(DistilBertConfig(**COMMON)),
    "bert": lambda: BertForMaskedLM(BertConfig(**COMMON)),
}
DECODERS = {"distil": lambda model: model.vocab_projector, "bert": lambda model: model.cls.predictions.decoder}
TOKENS, WEIGHTS = 64, 200


def model_of(shape, seed):
    torch.manual_seed(seed)
    model = SHAPES[shape]().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.02)
            elif "norm" in name.lower():
                parameter.normal_(1, 0.05)
        ids = torch.randint(1000, 30000, (8, TOKENS))
        highest = model(input_ids=ids).logits.amax(1)
        # So many of the vocabulary are above it.
        bound = highest.flatten().sort().values[-8 * WEIGHTS]
        DECODERS[shape](model).bias -= bound
    return model


class Exported(torch.nn.Module):
    """The network with its inputs by position and one output, as torch.onnx.export wants it."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs):
        return self.model(**dict(zip(self.names, inputs))).logits


def export(model, names, target):
    ids = torch.randint(1000, 30000, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    inputs = (ids, mask, torch.zeros_like(ids))[: len(names)]
    axes = {0: "batch_size", 1: "sequence_length"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Exported(model, names).eval(), inputs, target, input_names=names, output_names=["logits"],
            dynamic_axes={name: axes for name in (*names, "logits")}, opset_version=17, dynamo=False, do_constant_folding=True,
        )


def write_small_files(folder, like):
    for name in TOKENIZER:
        if os.path.exists(os.path.join(like, name)):
            shutil.copyfile(os.path.join(like, name), os.path.join(folder, name))
    # What a tokenizer says of lengths is that of its own model.
    path = os.path.join(folder, "tokenizer_config.json")
    with open(path) as file:
        settings = json.load(file)
    with open(path, "w") as file:
        json.dump(settings | {"model_max_length": 512}, file, indent=2)
    models = "sentence_transformers.sparse_encoder.models"
    files = {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{models}.MLMTransformer"},
            {"idx": 1, "name": "1", "path": "1_SpladePooling", "type": f"{models}.SpladePooling"},
        ],
        "config_sentence_transformers.json": {"model_type": "SparseEncoder", "prompts": {}, "similarity_fn_name": "dot"},
        "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
        "1_SpladePooling/config.json": {"pooling_strategy": "max", "activation_function": "relu"},
    }
    os.makedirs(os.path.join(folder, "1_SpladePooling"), exist_ok=True)
    for name, value in files.items():
        with open(os.path.join(folder, name), "w") as file:
            json.dump(value, file, indent=2)


def check(model, names, file):
    ids = torch.randint(1000, 30000, (4, TOKENS))
    with torch.no_grad():
        logits = model(input_ids=ids).logits.numpy()
    feeds = {"input_ids": ids.numpy(), "attention_mask": np.ones_like(ids.numpy()), "token_type_ids": np.zeros_like(ids.numpy())}
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = session.run(None, {name: feeds[name] for name in names})[0]
    weights = (logits.max(1) > 0).sum(1)
    print(f"largest difference to torch {np.abs(given - logits).max():.2g}; weights of texts of {TOKENS} tokens: {weights.tolist()}")
    if np.abs(given - logits).max() > 1e-2:
        raise SystemExit("the export is not fit for a comparison")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--like", required=True, help="folder of the model whose tokenizer is copied")
    parser.add_argument("--work", required=True, help="cache folder")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()

    target = os.path.join(options.work, f"splade-{options.shape}")
    part = f"{target}.part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(os.path.join(part, "onnx"))
    model = model_of(options.shape, options.seed)
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if options.shape == "bert" else [])
    model.save_pretrained(part)
    export(model, names, f"{part}/onnx/model.onnx")
    os.link(f"{part}/onnx/model.onnx", f"{part}/model.onnx")
    write_small_files(part, options.like)
    check(model, names, f"{part}/onnx/model.onnx")
    shutil.rmtree(target, ignore_errors=True)
    os.rename(part, target)
    print(target)


if __name__ == "__main__":
    main()
