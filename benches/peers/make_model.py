"""Makes a BERT embedder of a known model's shape with random weights: speed depends on the shape, and no download is needed.

    python make_model.py bge-small --like ../shared/models/all-MiniLM-L6-v2 --work FOLDER

Writes FOLDER/models/bge-small-shape: model.safetensors, onnx/model.onnx, onnx/model_quantized.onnx (dynamic int8 as Transformers.js ships it), the
tokenizer of the model that it is like, and the small files of sentence-transformers (first token, normalised, as bge). The seed is fixed.
Needs torch, transformers, onnx and onnxruntime. The folder appears under its name only once it is whole.
"""

import argparse
import json
import logging
import os
import shutil
import warnings

import numpy as np
import onnxruntime
import torch
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import BertConfig, BertModel

SHAPES = {
    "bge-small": {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536},
    "bge-base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
}
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# More than the 0.02 that training starts from: with those the first token's vector hardly depends on the text.
SPREAD = 0.08
POOLING = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")


def model_of(shape, seed):
    config = BertConfig(vocab_size=30522, max_position_embeddings=512, initializer_range=SPREAD, attn_implementation="eager", **SHAPES[shape])
    torch.manual_seed(seed)
    model = BertModel(config, add_pooling_layer=False).eval()
    # Trained models have biases and norms that are not 0 and 1; a contender that forgets one must not go unseen.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.02)
            elif "LayerNorm" in name:
                parameter.normal_(1, 0.05)
    return model


class Exported(torch.nn.Module):
    """The network with its inputs by position and one output, as torch.onnx.export wants it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask, types):
        return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state


def export(model, target):
    ids = torch.randint(1000, 30000, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    axes = {0: "batch_size", 1: "sequence_length"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Exported(model).eval(), (ids, mask, torch.zeros_like(ids)), target, input_names=list(INPUTS), output_names=["last_hidden_state"],
            dynamic_axes={name: axes for name in (*INPUTS, "last_hidden_state")}, opset_version=17, dynamo=False, do_constant_folding=True,
        )


def write_small_files(folder, like, dimensions):
    for name in TOKENIZER:
        if os.path.exists(os.path.join(like, name)):
            shutil.copyfile(os.path.join(like, name), os.path.join(folder, name))
    kinds = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    files = {
        "modules.json": [{"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"} for name, path, kind in kinds],
        "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": dimensions} | {f"pooling_mode_{name}": name == "cls_token" for name in POOLING},
    }
    # An empty folder: sentence-transformers looks for the path of every module.
    os.makedirs(os.path.join(folder, "2_Normalize"), exist_ok=True)
    os.makedirs(os.path.join(folder, "1_Pooling"), exist_ok=True)
    for name, value in files.items():
        with open(os.path.join(folder, name), "w") as file:
            json.dump(value, file, indent=2)


def vectors(file, ids, mask):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    rows = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})[0][:, 0]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def check(model, folder):
    """The exports against torch on a padded batch, and whether vectors of different texts differ at all: else a comparison shows nothing."""
    generator = np.random.default_rng(1)
    ids, mask = generator.integers(1000, 30000, (8, 40)), np.ones((8, 40), dtype=np.int64)
    ids[:, 0] = 101
    mask[4:, 25:] = 0
    with torch.no_grad():
        tensors = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        rows = model(**tensors, token_type_ids=torch.zeros_like(tensors["input_ids"])).last_hidden_state[:, 0].numpy()
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    likeness = {name: float((vectors(f"{folder}/onnx/{file}.onnx", ids, mask) * rows).sum(1).min()) for name, file in FILES.items()}
    apart = rows @ rows.T
    between = float((apart.sum() - len(rows)) / (len(rows) * (len(rows) - 1)))
    print(f"lowest cosine to torch: fp32 {likeness['fp32']:.7f}, q8 {likeness['q8']:.4f}; between different texts {between:.3f}")
    if likeness["fp32"] < 0.999999 or likeness["q8"] < 0.97 or between > 0.94:
        raise SystemExit("the exports are not fit for a comparison")


FILES = {"fp32": "model", "q8": "model_quantized"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--like", required=True, help="folder of the model whose tokenizer is copied")
    parser.add_argument("--work", required=True, help="cache folder")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()

    target = os.path.join(options.work, "models", f"{options.shape}-shape")
    part = f"{target}.part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(os.path.join(part, "onnx"))
    model = model_of(options.shape, options.seed)
    model.save_pretrained(part)
    export(model, f"{part}/onnx/model.onnx")
    quantize_dynamic(f"{part}/onnx/model.onnx", f"{part}/onnx/model_quantized.onnx", weight_type=QuantType.QInt8)
    write_small_files(part, options.like, model.config.hidden_size)
    check(model, part)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(part, target)
    print(target)


if __name__ == "__main__":
    main()
