// Where a Hub can fall silent while it gives a model.

const GRAPH = 'onnx/model.onnx'

/** Which requests, how, and, if not by a request that matches, how it can be seen that a client waits there. */
export const stages = {
  'before the connection is accepted': { match: { server: 'hub' }, fault: { stall: 'accept' }, reached: (hub) => hub.connections > 0 },
  'before the commit': { match: { path: /\/revision\// }, fault: { stall: 'headers' } },
  'in the middle of the commit': { match: { path: /\/revision\// }, fault: { stall: 'body', at: 10 } },
  'before the list of files': { match: { path: /\/tree\// }, fault: { stall: 'headers' } },
  'in the middle of the list of files': { match: { path: /\/tree\// }, fault: { stall: 'body', at: 10 } },
  'before a small file': { match: { file: 'tokenizer.json' }, fault: { stall: 'headers' } },
  'in the middle of a small file': { match: { file: 'tokenizer.json' }, fault: { stall: 'body', ignoreRange: true } },
  'before the redirect to the CDN': { match: { server: 'hub', file: GRAPH }, fault: { stall: 'headers' } },
  'before the CDN accepts the connection': {
    match: { server: 'cdn' },
    fault: { stall: 'accept' },
    reached: (hub) => hub.count({ file: GRAPH }) > 0,
  },
  'before the answer of the CDN': { match: { server: 'cdn' }, fault: { stall: 'headers' } },
  'before the first byte of a large file': { match: { server: 'cdn' }, fault: { stall: 'first' } },
  'in the middle of a large file': { match: { server: 'cdn' }, fault: { stall: 'body', ignoreRange: true } },
  'one byte a second of a large file': { match: { server: 'cdn' }, fault: { trickle: 1 } },
}
