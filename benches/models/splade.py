"""Makes a SPLADE model of a known shape: splade-distil or splade-bert.

    python splade.py distil --like ../shared/models/all-MiniLM-L6-v2 --work FOLDER

The ONNX file gives logits, as Optimum exports them; model.onnx is the same file, which fastembed looks for. The decoder's bias is set so that a text of 64
tokens has some 200 weights, as trained models have; the vectors mean nothing.
"""

import os

import numpy as np
import onnxruntime
import torch
from transformers import BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

from making import CONFIG, INPUTS, export, main, seeded, write

SHAPES = {
    "distil": lambda: DistilBertForMaskedLM(DistilBertConfig(**CONFIG)),
    "bert": lambda: BertForMaskedLM(BertConfig(**CONFIG)),
}
DECODERS = {"distil": lambda model: model.vocab_projector, "bert": lambda model: model.cls.predictions.decoder}
TOKENS, WEIGHTS = 64, 200
MODELS = "sentence_transformers.sparse_encoder.models"
SMALL_FILES = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": f"{MODELS}.MLMTransformer"},
        {"idx": 1, "name": "1", "path": "1_SpladePooling", "type": f"{MODELS}.SpladePooling"},
    ],
    "config_sentence_transformers.json": {"model_type": "SparseEncoder", "prompts": {}, "similarity_fn_name": "dot"},
    "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
    "1_SpladePooling/config.json": {"pooling_strategy": "max", "activation_function": "relu"},
}


def model_of(shape, seed):
    model = seeded(SHAPES[shape], seed)
    with torch.no_grad():
        highest = model(input_ids=torch.randint(1000, 30000, (8, TOKENS))).logits.amax(1)
        # So many of the vocabulary are above it.
        DECODERS[shape](model).bias -= highest.flatten().sort().values[-8 * WEIGHTS]
    return model


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


def make(shape, seed, folder):
    model = model_of(shape, seed)
    names = INPUTS if shape == "bert" else INPUTS[:2]
    model.save_pretrained(folder)
    export(model, lambda given: given.logits, "logits", f"{folder}/onnx/model.onnx", names)
    os.link(f"{folder}/onnx/model.onnx", f"{folder}/model.onnx")
    write(folder, SMALL_FILES)
    check(model, names, f"{folder}/onnx/model.onnx")


if __name__ == "__main__":
    main(__doc__, SHAPES, "splade-{}", make)
