# Writes golden.json: what sentence-transformers gives for the text and the documents of smoke.mjs (fp32, torch).
import json, sys
from sentence_transformers import CrossEncoder, SentenceTransformer

embedder, reranker, out = sys.argv[1:]
query = 'How do plants make sugar?'
texts = ['Leaves turn light into sugar.', 'The train leaves at nine.', 'Bread needs yeast.']
vector = SentenceTransformer(embedder, device='cpu').encode(query).tolist()
import torch
scores = CrossEncoder(reranker, device='cpu', activation_fn=torch.nn.Identity()).predict([(query, text) for text in texts]).tolist()
order = sorted(range(len(texts)), key=lambda index: -scores[index])
json.dump({'vector': [round(value, 6) for value in vector], 'scores': [round(score, 4) for score in scores], 'order': order}, open(out, 'w'))
