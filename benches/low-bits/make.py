#!/usr/bin/env python3
"""The fp16 and 4-bit files of a model, as Transformers.js names and makes them, from its fp32 ONNX file.

    python make.py MODEL_FOLDER OUT_FOLDER

    pip install onnxruntime==1.31.1 onnx==1.23.2 onnx-ir==1.1.0 sympy==1.14.0 numpy==2.4.6    # Python 3.11

MODEL_FOLDER holds onnx/model.onnx. OUT_FOLDER becomes a model of its own: the ONNX files and the small files of MODEL_FOLDER, and

    onnx/model_fp16.onnx     numbers and computation in float16, inputs and outputs as before
    onnx/model_q4.onnx       MatMulNBits: 4 bits, a scale for each 32 weights, symmetric
    onnx/model_q4f16.onnx    the same, and what is left in float16
    onnx/model_bnb4.onnx     MatMulBnb4: NF4, 4 bits, a scale for each 64 weights

Block sizes, symmetry and NF4 are the defaults of scripts/quantize.py of huggingface/transformers.js, as is keeping inputs and outputs in float32. Two
things differ: its converter to float16 is its own (it clips at 1e4, that of ONNX Runtime, which is used here, at 65,504), and it simplifies float16
graphs with onnxslim. Only MatMul with constant weights becomes 4 bits; embeddings stay as they were.
"""
import logging
import shutil
import sys
from pathlib import Path

import onnx
from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers import float16

# The quantizers tell of every node that they leave alone.
logging.disable(logging.INFO)


def fp16(model):
    return float16.convert_float_to_float16(model, keep_io_types=True)


def q4(model):
    quantizer = MatMulNBitsQuantizer(model, bits=4, block_size=32, is_symmetric=True)
    quantizer.process()
    return quantizer.model.model


def bnb4(model):
    quantizer = MatMulBnb4Quantizer(model, quant_type=MatMulBnb4Quantizer.NF4, block_size=64)
    quantizer.process()
    return quantizer.model.model


DTYPES = {"fp16": fp16, "q4": q4, "q4f16": lambda model: fp16(q4(model)), "bnb4": bnb4}


def make(source, target):
    """Writes the four files beside each other in `target`. The model is read anew for each: the tools change what they are given."""
    for dtype, change in DTYPES.items():
        model = change(onnx.load(source))
        onnx.checker.check_model(model)
        onnx.save(model, target / f"model_{dtype}.onnx")


def main():
    model, out = Path(sys.argv[1]), Path(sys.argv[2])
    # Contents only: what is made beside them must be writable even where the source is not.
    for path in (path for path in model.rglob("*") if path.is_file() and path.suffix != ".safetensors" and path.name != "golden.json"):
        target = out / path.relative_to(model)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    make(out / "onnx/model.onnx", out / "onnx")
    for path in sorted((out / "onnx").iterdir()):
        print(f"{path.name:20} {path.stat().st_size / 1e6:8.3f} MB")


if __name__ == "__main__":
    main()
