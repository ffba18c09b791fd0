"""sentence-transformers and OpenVINO as contenders of peers.mjs, which starts this with a description as JSON.

As peers/contend.mjs: loads one model once, then answers lines of JSON on standard input with lines of JSON.
"""

import json
import os
import resource
import sys
import time

import numpy as np

from commands import obey, serve

LIMIT = 512
PRECISION = {"fp32": "f32", "bf16": "bf16", "q8": "f32"}


class SentenceTransformers:
    """torch, in batches of 32; the library itself sorts by length."""

    def __init__(self, spec):
        import sentence_transformers
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        self.batch = spec["batch"]
        self.about = {"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__}
        if spec["task"] == "embed":
            self.model = sentence_transformers.SentenceTransformer(spec["folder"], device="cpu", backend="torch")
            self.model.max_seq_length = LIMIT
        else:
            self.model = sentence_transformers.CrossEncoder(spec["folder"], device="cpu", backend="torch", max_length=LIMIT)

    def bulk(self, texts):
        return self.model.encode(texts, batch_size=self.batch, normalize_embeddings=True, show_progress_bar=False)

    def one(self, text):
        return self.model.encode(text, normalize_embeddings=True, show_progress_bar=False)

    def scores(self, query, passages):
        return self.model.predict([(query, passage) for passage in passages], batch_size=self.batch, show_progress_bar=False)


class OpenVino:
    """The ONNX file, compiled. Batches of texts of about one length, several at a time; a lone text on all cores."""

    def __init__(self, spec):
        import openvino
        from tokenizers import Tokenizer

        name = "model_quantized" if spec["dtype"] == "q8" else "model"
        core = openvino.Core()
        # Where the CPU has bf16 it is OpenVINO's own choice, so it has to be said.
        precision = {"INFERENCE_PRECISION_HINT": PRECISION[spec["dtype"]]}
        graph = core.read_model(os.path.join(spec["folder"], "onnx", f"{name}.onnx"))
        self.inputs = {each.get_any_name() for each in graph.inputs}
        self.together = core.compile_model(graph, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"} | precision)
        # A second copy of the weights: only where it is asked for.
        self.compile_alone = lambda: core.compile_model(graph, "CPU", {"PERFORMANCE_HINT": "LATENCY"} | precision)
        self.alone = None
        self.queue = openvino.AsyncInferQueue(self.together)
        self.batch = spec["batch"]
        self.tokenizer = Tokenizer.from_file(os.path.join(spec["folder"], "tokenizer.json"))
        # What tokenizer.json says of lengths is that of the model's training.
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(LIMIT)
        self.takes_first = False
        if spec["task"] == "embed":
            with open(os.path.join(spec["folder"], "1_Pooling", "config.json")) as file:
                self.takes_first = json.load(file)["pooling_mode_cls_token"]
        self.about = {"openvino": openvino.__version__}

    def feed(self, encodings):
        longest = max(len(each.ids) for each in encodings)
        feeds = {name: np.zeros((len(encodings), longest), dtype=np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        for row, each in enumerate(encodings):
            feeds["input_ids"][row, : len(each.ids)] = each.ids
            feeds["attention_mask"][row, : len(each.ids)] = 1
            feeds["token_type_ids"][row, : len(each.ids)] = each.type_ids
        return {name: value for name, value in feeds.items() if name in self.inputs}

    def pool(self, hidden, mask):
        if self.takes_first:
            rows = hidden[:, 0]
        else:
            weights = mask[..., None].astype(np.float32)
            rows = (hidden * weights).sum(1) / weights.sum(1)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def run(self, items, finish):
        encodings = self.tokenizer.encode_batch(items)
        order = sorted(range(len(items)), key=lambda index: -len(encodings[index].ids))
        rows = [None] * len(items)

        def done(request, given):
            part, mask = given
            for index, row in zip(part, finish(request.get_output_tensor(0).data, mask)):
                rows[index] = np.array(row)

        self.queue.set_callback(done)
        for start in range(0, len(order), self.batch):
            part = order[start : start + self.batch]
            feeds = self.feed([encodings[index] for index in part])
            self.queue.start_async(feeds, (part, feeds["attention_mask"]))
        self.queue.wait_all()
        return np.array(rows)

    def bulk(self, texts):
        return self.run(texts, self.pool)

    def one(self, text):
        self.alone = self.alone or self.compile_alone()
        feeds = self.feed([self.tokenizer.encode(text)])
        return self.pool(self.alone(feeds)[0], feeds["attention_mask"])

    def scores(self, query, passages):
        return self.run([(query, passage) for passage in passages], lambda logits, _: logits[:, 0])


def timed(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def peak():
    """MB. Not ru_maxrss where the system tells better: that begins with what the parent had when it started this process."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


class Work:
    """What is asked for, by name."""

    def __init__(self, model, sets):
        self.model, self.sets = model, sets

    def take(self, name, count, start=0):
        texts = self.sets[name]
        return [texts[index % len(texts)] for index in range(start, start + count)]

    def vectors(self, set, count, to):
        texts = self.take(set, count)
        data = self.model.scores(self.sets["query"][0], texts) if set == "passages" else self.model.bulk(texts)
        data = np.ascontiguousarray(data, dtype=np.float32)
        data.tofile(to)
        return {"rows": count, "width": data.size // count}

    def bulk(self, set, count):
        texts = self.take(set, count)
        return {"count": count, "ms": timed(lambda: self.model.bulk(texts))}

    def rerank(self, count):
        passages = self.take("passages", count)
        return {"count": count, "ms": timed(lambda: self.model.scores(self.sets["query"][0], passages))}

    def calls(self, texts, pause):
        times = []
        for text in texts:
            time.sleep(pause / 1000)
            times.append(timed(lambda: self.model.one(text)))
        return times

    def lone(self, set, count, pause, **more):
        texts = self.take(set, count, more["from"])
        self.calls(texts[:3], 0)
        return {"paused": self.calls(texts, pause), "together": self.calls(texts, 0)}


def prepare(spec):
    model = (OpenVino if spec["kind"] == "openvino" else SentenceTransformers)(spec)
    with open(spec["texts"]) as file:
        return Work(model, json.load(file)), model.about


def perform(work, command):
    before = time.process_time()
    answer = obey(work, command)
    return answer | {"peak": peak(), "cpu": (time.process_time() - before) * 1000}


if __name__ == "__main__":
    serve(prepare, perform)
