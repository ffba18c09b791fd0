"""Makes a classifier of a known shape: classifier-distil (that of distilbert-base-uncased-finetuned-sst-2-english, two labels).

    python classifier.py distil --like ../shared/models/all-MiniLM-L6-v2 --work FOLDER

Beside what every maker writes: onnx/model_quantized.onnx (dynamic int8 as Transformers.js ships it). The head is scaled so that scores lie between 0 and 1
and not at the ends, where every contender would agree.
"""

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from making import CONFIG, INPUTS, export, main, seeded

LABELS = {0: "NEGATIVE", 1: "POSITIVE"}
SHAPES = {"distil": lambda: DistilBertForSequenceClassification(DistilBertConfig(**CONFIG, id2label=LABELS, label2id={label: at for at, label in LABELS.items()}))}


def model_of(shape, seed):
    model = seeded(SHAPES[shape], seed)
    with torch.no_grad():
        logits = model(input_ids=torch.randint(1000, 30000, (16, 40))).logits
        model.classifier.weight /= logits.std(0).mean()
        model.classifier.bias -= logits.mean(0) / logits.std(0).mean()
    return model


def check(model, file):
    ids = torch.randint(1000, 30000, (8, 40))
    with torch.no_grad():
        logits = model(input_ids=ids).logits.numpy()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = session.run(None, {"input_ids": ids.numpy(), "attention_mask": np.ones_like(ids.numpy())})[0]
    print(f"largest difference to torch {np.abs(given - logits).max():.2g}; logits differ between texts by {logits.std(0).mean():.2f}")
    if np.abs(given - logits).max() > 1e-3:
        raise SystemExit("the export is not fit for a comparison")


def make(shape, seed, folder):
    model = model_of(shape, seed)
    model.save_pretrained(folder)
    export(model, lambda given: given.logits, "logits", f"{folder}/onnx/model.onnx", INPUTS[:2], axes=(0,))
    quantize_dynamic(f"{folder}/onnx/model.onnx", f"{folder}/onnx/model_quantized.onnx", weight_type=QuantType.QInt8)
    check(model, f"{folder}/onnx/model.onnx")


if __name__ == "__main__":
    main(__doc__, SHAPES, "classifier-{}", make)
