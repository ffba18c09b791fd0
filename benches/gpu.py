"""sentence-transformers on a device, for benches/gpu/throughput.mjs, which starts this with a description as JSON.

Loads the model once, then answers lines of JSON on standard input with lines of JSON, as benches/peers.py does.
"""

import json
import time

import numpy as np

from commands import obey, serve

# Its own default, and one that suits a GPU better.
BATCHES = (32, 256)


class Work:
    def __init__(self, spec):
        import sentence_transformers
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        device = spec["device"]
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("torch sees no CUDA device")
        self.model = sentence_transformers.SentenceTransformer(spec["folder"], device=device, backend="torch")
        if spec["dtype"] == "fp16":
            self.model.half()
        with open(spec["texts"]) as file:
            self.texts = json.load(file)
        self.about = {"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__, "device": device}
        if device == "cuda":
            self.about |= {"cuda": torch.version.cuda, "gpu": torch.cuda.get_device_name(0)}

    def encode(self, texts, batch):
        # The array on the host is there only when the GPU is done.
        return self.model.encode(texts, batch_size=batch, show_progress_bar=False, convert_to_numpy=True)

    def part(self, count, call):
        return [self.texts[(call * count + index) % len(self.texts)] for index in range(count)]

    def vectors(self, count):
        rows = np.asarray(self.encode(self.texts[:count], BATCHES[0]), dtype=np.float32)
        return {"rows": rows.tolist()}

    def times(self, count, calls):
        """Milliseconds of each call, with the batch that is faster."""
        best = None
        for batch in BATCHES if count > BATCHES[0] else BATCHES[:1]:
            times = []
            for call in range(calls):
                texts = self.part(count, call)
                start = time.perf_counter()
                self.encode(texts[0] if count == 1 else texts, batch)
                times.append((time.perf_counter() - start) * 1000)
            if best is None or sum(times) < sum(best):
                best = times
        return {"times": best}


def prepare(description):
    work = Work(description)
    return work, work.about


if __name__ == "__main__":
    serve(prepare, obey)
