"""Makes a BERT embedder of a known model's shape: bge-small-shape or bge-base-shape.

    python bert.py bge-small --like ../shared/models/all-MiniLM-L6-v2 --work FOLDER

Beside what every maker writes: onnx/model_quantized.onnx (dynamic int8 as Transformers.js ships it), and the small files of sentence-transformers (first
token, normalised, as bge).
"""

import os

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import BertConfig, BertModel

from making import CONFIG, export, main, seeded, write

SHAPES = {
    "bge-small": {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536},
    "bge-base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
}
POOLING = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
FILES = {"fp32": "model", "q8": "model_quantized"}


def model_of(shape, seed):
    return seeded(lambda: BertModel(BertConfig(**CONFIG, **SHAPES[shape]), add_pooling_layer=False), seed)


def export_hidden(model, target):
    export(model, lambda given: given.last_hidden_state, "last_hidden_state", target)


def small_files(dimensions):
    kinds = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    return {
        "modules.json": [{"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"} for name, path, kind in kinds],
        "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": dimensions} | {f"pooling_mode_{name}": name == "cls_token" for name in POOLING},
    }


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


def make(shape, seed, folder):
    model = model_of(shape, seed)
    model.save_pretrained(folder)
    export_hidden(model, f"{folder}/onnx/model.onnx")
    quantize_dynamic(f"{folder}/onnx/model.onnx", f"{folder}/onnx/model_quantized.onnx", weight_type=QuantType.QInt8)
    write(folder, small_files(model.config.hidden_size))
    # An empty folder: sentence-transformers looks for the path of every module.
    os.makedirs(os.path.join(folder, "2_Normalize"))
    check(model, folder)


if __name__ == "__main__":
    main(__doc__, SHAPES, "models/{}-shape", make)
