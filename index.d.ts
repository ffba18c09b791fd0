/**
 * Local text embeddings and reranking.
 *
 * Wrong arguments give a `TypeError` with `code: 'ERR_INVALID_ARG'`; everything else that fails gives a {@link VecrankError}. Methods that
 * return a promise never throw: they reject. An option set to `undefined` is absent; an unknown option is refused. Options whose type is
 * {@link NotInThisVersion} belong to the contract and are refused with `ERR_INVALID_ARG` until they are built.
 *
 * The types need those of Node (`@types/node`), or `lib: ["dom"]`, for `AbortSignal` and `URL`.
 *
 * @packageDocumentation
 */

/// <reference lib="esnext.disposable" />

// Only what says `export` is exported.
export {}

/** An option that is planned. Setting it is `ERR_INVALID_ARG` ("not in this version"): it is never ignored. */
export type NotInThisVersion<Planned = unknown> = undefined & { readonly planned?: Planned }

// ---------- models ----------------------------------------------------------------------------------------------------

/**
 * Number format of the weights, by the suffixes of ONNX files that Transformers.js uses: `q8` is `model_quantized.onnx`, `fp16` is `model_fp16.onnx`.
 * The encoder makes `q8` and `bf16` from longer numbers where there is no such file.
 */
export type DType = 'auto' | 'fp32' | 'bf16' | 'fp16' | 'q8' | 'int8' | 'uint8' | 'q4' | 'q4f16' | 'bnb4'

/** What runs the network: ONNX Runtime, or vecrank's own encoder. */
export type Engine = 'auto' | 'graph' | 'encoder'

/**
 * Where the network runs. `'auto'`: the best that works here, the CPU last. `'gpu'`: the best GPU that works. `'cpu'`; `'cuda'` and `'tensorrt'`:
 * NVIDIA's GPUs, with a build of ONNX Runtime that has them; `'dml'`: any GPU on Windows, with one that has DirectML; `'coreml'`: Apple's processors;
 * `'webgpu'` and `'openvino'`: by plugins. docs/devices.md says what each needs.
 */
export type Device = 'auto' | 'gpu' | 'cpu' | 'cuda' | 'tensorrt' | 'dml' | 'coreml' | 'webgpu' | 'openvino'

/** A plugin execution provider: a library of others that ONNX Runtime opens. It is native code that runs in this process. */
export interface ProviderPlugin {
  /**
   * What the device is called in `info()` and in messages. The name of a {@link Device} (`'openvino'`) makes it that device; `'auto'`, `'gpu'` and
   * `'cpu'` are refused, and so is a name that is given twice.
   */
  name: string
  /** The library: a path, made absolute at once, or a `file:` URL. One that is not there is `ERR_DEVICE`. */
  path: string | URL
  /** The provider's own options, by the names in its documentation, without a prefix. Default: none; for `'openvino'` those of docs/devices.md. */
  options?: Readonly<Record<string, string>>
}

/** How token vectors become one vector. */
export type Pooling = 'mean' | 'cls' | 'last' | 'max' | 'mean_sqrt_len' | 'weighted_mean'

/** Which end of a text is dropped when it has too many tokens; `'error'` rejects with `ERR_TOO_LONG` instead. */
export type Truncation = 'right' | 'left' | 'error'

/**
 * The name of a model: a folder (`'./model'`, `'../model'`, `'/models/model'`, `'C:\\models\\model'`, `'.'`), a `file:` URL (string or `URL`), or
 * an installed npm package that holds a model (`'name'`, `'@scope/name'`; its folder, or the folder that the field `vecrank.path` of its
 * `package.json` names), or a model on the Hub (`'owner/name'`, whatever lies in the working folder), which is downloaded when it is first
 * loaded and kept in the cache that Python's `huggingface_hub` uses.
 */
export type ModelName = string | URL

/** How far a download is. Files that are in the cache are not downloaded, and not told of. */
export interface DownloadProgress {
  /**
   * `'download'`: the file will be downloaded (`loaded` is 0). `'progress'`: more of it is here, at most ten times a second. `'done'`: it is
   * verified and in the cache. Of Transformers.js' events `initiate` and `download` are `'download'`, `progress` is `'progress'`,
   * `progress_total` is `overall`, `done` is `'done'`, and instead of `ready` the promise fulfils.
   */
  readonly status: 'download' | 'progress' | 'done'
  /** The repository: the model, or the one that lends it its small files. */
  readonly model: string
  /** Path in the repository. */
  readonly file: string
  /** Bytes of the file that are here. A download that goes on where an earlier one broke off begins above 0. */
  readonly loaded: number
  /** Bytes of the file. */
  readonly total: number
  /** All files that are known to be needed. The small ones come first: `total` grows once, when they have said what else is needed. */
  readonly overall: { readonly loaded: number; readonly total: number }
}

/** Options of a model. They take effect when it is loaded. */
export interface ModelOptions {
  /**
   * Weights to use. `'auto'`: what the model's `transformers.js_config` declares, else `fp32`; if there is no such file, the first of fp32,
   * fp16, q8, int8, uint8, q4 that is there. On a GPU fp16 comes before fp32; what the model declares still comes first. `info().dtype` says which.
   * A named one that is missing is `ERR_FILE_NOT_FOUND`.
   * @default 'auto'
   */
  dtype?: DType
  /**
   * An ONNX or safetensors file inside the model's folder, such as `'onnx/model_O2.onnx'`. Of an ONNX file the name says the dtype; weights of a
   * safetensors file are used as `dtype` says (`fp32` where it is `'auto'`).
   */
  file?: string
  /**
   * What runs the network. `'encoder'`: vecrank's own, for the CPU, from `model.safetensors` or the weights in an ONNX file. `'graph'`: ONNX
   * Runtime, from an ONNX file. `'auto'`: on the CPU the encoder where it knows the model, else ONNX Runtime, which runs all other devices. A model
   * that the named engine cannot take is `ERR_MODEL_UNSUPPORTED`, which says why; `'encoder'` with a device other than `'auto'` and `'cpu'` is
   * `ERR_INVALID_ARG`.
   * @default 'auto'
   */
  engine?: Engine
  /**
   * Where to run. `'auto'` and `'gpu'` try the devices of the platform in order and take the first on which a small graph gives the right numbers; what
   * was not taken is in `info().passedOver`. Any other is that device or `ERR_DEVICE`, which says what is missing and what to do. `'auto'` never fails
   * for want of a device.
   * @default 'auto'
   */
  device?: Device
  /**
   * Whether the CPU may stand in for a device that was named and cannot be used, or that cannot take the model. A process warning (`VECRANK_DEVICE`)
   * says so, and `info()` why. Of no effect with `'auto'`, which has the CPU anyway. @default false
   */
  fallback?: boolean
  /**
   * Which of several devices of a kind, from 0: CUDA's number of a GPU (`CUDA_VISIBLE_DEVICES` counts), DirectML's of an adapter; of a plugin's devices
   * GPUs come first. One that is not there is `ERR_DEVICE`. Of the CPU and of Core ML there is one: with `device: 'cpu'` and `'coreml'` any other
   * number than 0 is `ERR_INVALID_ARG`. @default 0
   */
  deviceId?: number
  /**
   * Bytes of a GPU's memory that ONNX Runtime may take for this model, weights included; at least 1. For `'cuda'`, and what runs by CUDA under
   * `'tensorrt'`; others have no limit that could be set. A run that does not fit is split, and one text that does not fit is `ERR_RUNTIME`. What
   * CUDA takes for itself (some hundred MB a process) is not counted. Default: three quarters of what is free when the model is loaded.
   */
  gpuMemoryLimit?: number
  /**
   * Plugins that `'auto'` and `'gpu'` try before the platform's devices, in this order. One with the name of a device (`'openvino'`) is what that device
   * is by. Each library is opened once and stays for the life of the process. Default: none; `'webgpu'` and `'openvino'` find what `npx vecrank runtime
   * add` has added.
   */
  providers?: readonly ProviderPlugin[]
  /** CPU threads for inference, 1 to 1,024. Default: the CPUs that this process may use. */
  threads?: number
  /**
   * Tokens of a text that are used, special tokens and prompt included; at least 1, at most the positions that the network has
   * (more is `ERR_INVALID_ARG`). Default: what the model's files say.
   */
  maxLength?: number
  /** Which end of a longer text is dropped. Default: the side that the model's files name (`truncation_side`), else `'right'`. */
  truncation?: Truncation
  /** Bounds of the work that waits, over all callers. A call is refused with `ERR_OVERLOADED` only while others wait. */
  queue?: {
    /** Waiting calls, at least 1. @default 100_000 */
    maxCalls?: number
    /** Waiting tokens, at least 1. @default 67_108_864 */
    maxTokens?: number
  }
  /** Longest text, in UTF-16 units (`text.length`), at least 1. A longer one is `ERR_TOO_LONG` before anything is copied. @default 33_554_432 */
  maxInputChars?: number
  /** Ends the wait of the caller of `load()` with the signal's reason. A load that nobody waits for any more is stopped. */
  signal?: AbortSignal

  // ----- models on the Hub; docs/models.md has the whole story -----

  /** Branch, tag or commit (40 digits). A commit is never looked up again. Refused for folders and packages. @default 'main' */
  revision?: string
  /**
   * The cache: the folder that holds `models--owner--name`. Default: `MODEL_CACHE`, else Python's: `HF_HUB_CACHE`, `HF_HOME` + `/hub`,
   * `~/.cache/huggingface/hub`.
   */
  cacheDir?: string
  /** Address of the Hub, `http:` or `https:`. Default: `HF_ENDPOINT`, else `https://huggingface.co`. */
  endpoint?: string
  /** Token for private and gated models; sent to the endpoint's host only. Default: `HF_TOKEN`, else the token's file. */
  token?: string
  /** No network: what is not in the cache is `ERR_OFFLINE`. Default: `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`. */
  offline?: boolean
  /**
   * Ask the Hub what a cached branch stands for now. Without it a branch that is in the cache is used as it is there, with no request. If the
   * Hub does not answer within 2.5 s, the cached commit is used and a process warning says so. @default false
   */
  refresh?: boolean
  /** Path of a lock file (`npx vecrank pull … --lock`). Default: `VECRANK_LOCK`, else `vecrank.lock.json` beside the application's `package.json`. */
  lock?: string
  /** Called as downloads go on. What it throws ends the load. */
  onDownload?: (event: DownloadProgress) => void
}

/** Options of an embedder. What is not set is what the model's own files say. */
export interface EmbedderOptions extends ModelOptions {
  /** How token vectors become one vector. Default: what the model's files say; where they say nothing, `mean` (a decoder: `last`). */
  pooling?: Pooling
  /** Scale vectors to length 1. Default: what the model's `modules.json` says; a model without that file is not normalised. */
  normalize?: boolean
  /** Prompts by name, in place of those of the model's files. */
  prompts?: Readonly<Record<string, string>>
}

/** What was loaded and how it is read. */
export interface ModelInfo {
  /** The model as it was named. */
  readonly model: string
  /** What the name stood for. */
  readonly source: 'folder' | 'package' | 'hub'
  /** The folder of the model's files; of a model from the Hub the commit's folder in the cache. */
  readonly path: string
  /** The commit of a model from the Hub; `null` for others. */
  readonly commit: string | null
  /**
   * The repository that lends the small files of sentence-transformers, and its commit: the `base_model` of a model on the Hub that has no
   * `modules.json`. `null` where there is none.
   */
  readonly base: { readonly model: string; readonly commit: string } | null
  /** Whether a lock file decided which files are used. */
  readonly locked: boolean
  /** What runs the network. */
  readonly engine: 'graph' | 'encoder'
  /** The file that the network was read from, relative to `path`. */
  readonly file: string
  /** The kind of weights, by that file's name; `null` where the name (of an explicit `file`) does not say. */
  readonly dtype: DType | null
  readonly kind: 'embedder' | 'reranker'
  /** Values in a vector; `null` for a reranker. */
  readonly dimensions: number | null
  /** Tokens of a text that are used. */
  readonly maxLength: number
  /** Pooling, or several that are concatenated in this order; `null` for a reranker, and where the graph itself pools. */
  readonly pooling: Pooling | readonly Pooling[] | null
  /** Whether vectors are scaled to length 1; `null` for a reranker. */
  readonly normalize: boolean | null
  /** Prompts by name. */
  readonly prompts: Readonly<Record<string, string>>
  /** The device that was asked for. */
  readonly requested: Device
  /** The device in use: never `'auto'` or `'gpu'`; for a plugin of another name that name. */
  readonly device: Exclude<Device, 'auto' | 'gpu'> | (string & {})
  /** Devices that were tried before the one in use, in that order, and why they were not taken. */
  readonly passedOver: readonly { readonly device: string; readonly reason: string }[]
  /**
   * Nodes of the graph by execution provider, as ONNX Runtime has put them after its optimisations, such as `{ CUDAExecutionProvider: 210 }`. Those of
   * the CPU beside a device's own cost copies between both. Empty for the encoder.
   */
  readonly nodes: Readonly<Record<string, number>>
  /** Bytes of the GPU's memory: the limit, and what ONNX Runtime holds for this model now and keeps for later runs. `null` where none is kept. */
  readonly deviceMemory: { readonly limit: number; readonly used: number } | null
  /**
   * The instruction set that the encoder uses, the best that the processor has: `'amx'`, `'avx512'`, `'avx_vnni'`, `'avx2'`, `'neon_i8mm'`,
   * `'neon_dotprod'`, `'neon'` or `'portable'`. The variable `VECRANK_CPU` names a lower one. `null` where ONNX Runtime chooses.
   */
  readonly instructions: string | null
  /** The device's execution provider, as ONNX Runtime calls it, such as `'CUDAExecutionProvider'`; `null` for the encoder. */
  readonly provider: string | null
  /** Version of ONNX Runtime; `null` for the encoder, which does not open it. */
  readonly onnxruntime: string | null
  /** Every value that no file of the model declares and that was assumed. */
  readonly assumed: readonly string[]
}

/**
 * A handle on a model, loaded on first need and shared: handles share a session where their options are written alike. A handle keeps the model
 * that it has loaded; when files of a model's folder are replaced, handles that are opened afterwards load the new ones.
 */
declare abstract class Model {
  /**
   * Loads the model now rather than with the first call. All callers share one load; a failed one is tried again by the next call.
   * @throws {VecrankError} ERR_MODEL_NOT_FOUND, ERR_FILE_NOT_FOUND, ERR_MODEL_INVALID, ERR_MODEL_UNSUPPORTED, ERR_RUNTIME, ERR_DISPOSED,
   * ERR_DISK, ERR_DEVICE; of a model on the Hub also ERR_DOWNLOAD, ERR_CORRUPT, ERR_OFFLINE, ERR_UNAUTHORIZED
   */
  load(): Promise<this>
  /** What was loaded. Loads the model if need be. */
  info(): Promise<ModelInfo>
  /**
   * Gives the model back; its session goes with its last handle. May be called again. Later calls reject with `ERR_DISPOSED`; calls in flight
   * settle with their result or with `ERR_DISPOSED`.
   */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

// ---------- dense embeddings --------------------------------------------------------------------------------------------

/**
 * Form of a vector. `int8` and `uint8` scale each value between `ranges`; `binary` and `ubinary` keep one bit a value (greater than zero), eight to
 * a byte, first value in the highest bit, `binary` less 128. Byte for byte as `quantize_embeddings` of sentence-transformers.
 */
export type Output = 'float32' | 'int8' | 'uint8' | 'binary' | 'ubinary'

/** The array that holds a vector of an output type. */
export type Vector<O extends Output = 'float32'> = {
  float32: Float32Array
  int8: Int8Array
  uint8: Uint8Array
  binary: Int8Array
  ubinary: Uint8Array
}[O]

/** Options of every call. */
export interface CallOptions {
  /** Aborting rejects with the signal's reason at once and drops the work that waits. */
  signal?: AbortSignal
  timeoutMs?: NotInThisVersion<number>
  priority?: NotInThisVersion<'interactive' | 'bulk'>
}

/** Options of `embedStream`, and all of `embed` but its progress. */
export interface StreamOptions<O extends Output = Output> extends CallOptions {
  /** Name of a prompt to put before each text. An unknown name is `ERR_INVALID_ARG`. Not together with `promptText`. */
  prompt?: string
  /** The text to put before each text, at most `maxInputChars` long. Not together with `prompt`. */
  promptText?: string
  /** Scale vectors to length 1, in place of the model's rule. */
  normalize?: boolean
  /** Pooling for this call, in place of the model's. */
  pooling?: Pooling
  /** Keep the first values only (Matryoshka), 1 to the model's dimensions; scaled to length 1 after the cut only where `normalize` holds. */
  dimensions?: number
  /** Form of the vectors. @default 'float32' */
  output?: O
  /** Smallest and largest value of each dimension, finite, one per dimension kept, none below its smallest. Needed for `int8` and `uint8`, refused for others. */
  ranges?: { min: Float32Array; max: Float32Array }
  /** For this call, in place of the model's option. */
  truncation?: Truncation
  /** Tokens a text for this call, in place of the model's option. */
  maxLength?: number
}

/** Options of `embed`, `embedQuery`, `embedDocument` and `embedMany`. */
export interface EmbedOptions<O extends Output = Output> extends StreamOptions<O> {
  /** Called with the number of texts done and of all texts, as parts finish. What it throws ends the call. */
  onProgress?: (done: number, total: number) => void
}

/** Many embeddings in one block of memory. */
export interface Embeddings<O extends Output = 'float32'> {
  /** All rows, one after the other. */
  readonly data: Vector<O>
  /** Number of texts. */
  readonly rows: number
  /** Values in a vector, before bits are packed; 0 if there are no rows. */
  readonly dimensions: number
  /** Tokens that were fed to the network. */
  readonly tokens: number
  /** Texts that were cut to `maxLength`. */
  readonly truncated: number
  /** Row `index` as a view of `data`, not a copy. @throws {TypeError} for a row that is not there. */
  row(index: number): Vector<O>
}

/** Turns texts into vectors. */
export declare class Embedder extends Model {
  /**
   * Reads no file: what can only be known by looking fails when the model is loaded.
   * @param model Default: `VECRANK_EMBEDDER`, else the package `vecrank-model-all-minilm-l6-v2` where it is installed, else
   * `sentence-transformers/all-MiniLM-L6-v2` on the Hub.
   * @throws {TypeError} for a name or an option of the wrong form.
   */
  constructor(model?: ModelName, options?: EmbedderOptions)
  /** A loaded embedder. */
  static load<T extends typeof Embedder>(this: T, model?: ModelName, options?: EmbedderOptions): Promise<InstanceType<T>>

  /**
   * One vector for a text, or one for each text of a list, in order. `[]` gives `[]` and loads nothing. An empty string is a text; a lone
   * surrogate is read as U+FFFD. Every vector has its own memory. No prompt is used unless the options or the model's default name one.
   * @throws {VecrankError} ERR_TOO_LONG, ERR_NUMERIC, ERR_OVERLOADED, ERR_DISPOSED and those of `load()`
   */
  embed<O extends Output = 'float32'>(text: string, options?: EmbedOptions<O>): Promise<Vector<O>>
  embed<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedOptions<O>): Promise<Vector<O>[]>
  embed<O extends Output = 'float32'>(texts: string | readonly string[], options?: EmbedOptions<O>): Promise<Vector<O> | Vector<O>[]>

  /** As `embed`, with the model's prompt named `query`. */
  embedQuery<O extends Output = 'float32'>(text: string, options?: EmbedOptions<O>): Promise<Vector<O>>
  embedQuery<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedOptions<O>): Promise<Vector<O>[]>
  embedQuery<O extends Output = 'float32'>(texts: string | readonly string[], options?: EmbedOptions<O>): Promise<Vector<O> | Vector<O>[]>

  /** As `embed`, with the first of the prompts `document`, `passage`, `corpus` that is not empty. */
  embedDocument<O extends Output = 'float32'>(text: string, options?: EmbedOptions<O>): Promise<Vector<O>>
  embedDocument<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedOptions<O>): Promise<Vector<O>[]>
  embedDocument<O extends Output = 'float32'>(texts: string | readonly string[], options?: EmbedOptions<O>): Promise<Vector<O> | Vector<O>[]>

  /** As `embed`, for many texts: one block of memory instead of one array for each. */
  embedMany<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedOptions<O>): Promise<Embeddings<O>>

  /**
   * Embeddings of a source of any length, in order and in bounded memory (about 256 texts are read ahead). Leaving the loop closes the source
   * and drops waiting work; while it waits for a source that gives nothing, only a `signal` ends it. An error of the source, or a value that is not a string, comes after the embeddings of the texts before it.
   */
  embedStream<O extends Output = 'float32'>(
    source: Iterable<string> | AsyncIterable<string>,
    options?: StreamOptions<O>,
  ): AsyncGenerator<{ index: number; embedding: Vector<O> }, void, undefined>

  /** Tokens of each text as the model reads it, special tokens included, before truncation. Reads every text to its end. */
  tokenCounts(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Uint32Array>
}

// ---------- reranking ---------------------------------------------------------------------------------------------------

/** Options of `Reranker.score`. */
export interface ScoreOptions extends CallOptions {
  /** Tokens a pair for this call, in place of the model's option. */
  maxLength?: number
  /** For this call, in place of the model's option. A pair that is too long loses tokens of its longer text first. */
  truncation?: Truncation
}

/** Options of `Reranker.rerank`. */
export interface RerankOptions extends ScoreOptions {
  /** Best results to give, at least 1. Default: all. */
  topK?: number
  /** Put the caller's own document into each result. @default false */
  returnDocuments?: boolean
  /** What is done with the logit: nothing, a sigmoid, or what the model's files declare. @default 'none' */
  activation?: 'none' | 'sigmoid' | 'default'
  overflow?: NotInThisVersion<'truncate' | 'chunk'>
}

/** A document: its text, or an object with it. */
export type Document = string | { readonly text: string }

/** One document's place in a ranking. */
export interface RankedDocument<D extends Document = Document> {
  /** Position in the input. */
  index: number
  /** Higher is better; by default the raw logit, of any size and sign. */
  score: number
  /** Whether the query and the document together had more tokens than the model reads, so that the score is that of their beginnings. */
  truncated: boolean
  /** The caller's own value, with `returnDocuments`. */
  document?: D
}

/** Scores documents against a query. */
export declare class Reranker extends Model {
  /**
   * Reads no file: what can only be known by looking fails when the model is loaded.
   * @param model Default: `VECRANK_RERANKER`, else the package `vecrank-model-reranker-mini` where it is installed, else
   * `cross-encoder/ms-marco-MiniLM-L6-v2` on the Hub.
   * @throws {TypeError} for a name or an option of the wrong form.
   */
  constructor(model?: ModelName, options?: ModelOptions)
  /** A loaded reranker. */
  static load<T extends typeof Reranker>(this: T, model?: ModelName, options?: ModelOptions): Promise<InstanceType<T>>

  /**
   * Documents best first; equal scores keep the input's order. `[]` gives `[]` and loads nothing.
   * @throws {VecrankError} ERR_TOO_LONG, ERR_NUMERIC, ERR_OVERLOADED, ERR_DISPOSED and those of `load()`
   */
  rerank<D extends Document>(query: string, documents: readonly D[], options: RerankOptions & { returnDocuments: true }): Promise<Required<RankedDocument<D>>[]>
  rerank<D extends Document>(query: string, documents: readonly D[], options?: RerankOptions): Promise<RankedDocument<D>[]>

  /** Raw logits of pairs, in input order. A model with two labels gives their difference, second minus first. */
  score(pairs: readonly (readonly [query: string, document: string])[], options?: ScoreOptions): Promise<Float32Array>
}

// ---------- the two-line way --------------------------------------------------------------------------------------------

/** Options of the function `embed`. */
export interface EmbedFunctionOptions<O extends Output = Output> extends EmbedOptions<O> {
  /**
   * A model's name, or an embedder. Default: that of `Embedder`. If the files of its folder were replaced since the last call, they are
   * loaded anew; calls in flight end with the old ones.
   */
  model?: ModelName | Embedder
  /** Options of the model. Not with an embedder. Calls with an equal model and equal options share one instance of the process. */
  load?: EmbedderOptions
}

/** Options of the function `rerank`. */
export interface RerankFunctionOptions extends RerankOptions {
  /** A model's name, or a reranker. Default: that of `Reranker`. Files of a folder that were replaced are loaded anew, as for `embed`. */
  model?: ModelName | Reranker
  /** Options of the model. Not with a reranker. Calls with an equal model and equal options share one instance of the process. */
  load?: ModelOptions
}

/** As `Embedder.embed`, on an instance of the process that is made with the first call. */
export declare function embed<O extends Output = 'float32'>(text: string, options?: EmbedFunctionOptions<O>): Promise<Vector<O>>
export declare function embed<O extends Output = 'float32'>(texts: readonly string[], options?: EmbedFunctionOptions<O>): Promise<Vector<O>[]>
export declare function embed<O extends Output = 'float32'>(
  texts: string | readonly string[],
  options?: EmbedFunctionOptions<O>,
): Promise<Vector<O> | Vector<O>[]>

/** As `Reranker.rerank`, on an instance of the process that is made with the first call. */
export declare function rerank<D extends Document>(
  query: string,
  documents: readonly D[],
  options: RerankFunctionOptions & { returnDocuments: true },
): Promise<Required<RankedDocument<D>>[]>
export declare function rerank<D extends Document>(
  query: string,
  documents: readonly D[],
  options?: RerankFunctionOptions,
): Promise<RankedDocument<D>[]>

/**
 * Gives back the models behind the functions `embed` and `rerank`, those of this thread; resolves when that is done. Instances of
 * {@link Embedder} and {@link Reranker} that the program made are not touched. The next call of a function loads anew. Calls in flight settle
 * with their result or with `ERR_DISPOSED`.
 */
export declare function dispose(): Promise<void>

// ---------- vectors -----------------------------------------------------------------------------------------------------

/** Cosine of the angle between two vectors of one length. @throws {TypeError} */
export declare function cosineSimilarity(a: Float32Array, b: Float32Array): number

/** Dot product of two vectors of one length. @throws {TypeError} */
export declare function dot(a: Float32Array, b: Float32Array): number

/**
 * The `k` vectors nearest to `query` by cosine, best first; of equal ones the lower index first, vectors with NaN last. Fewer if there are fewer.
 * @param vectors One block of rows, the result of `embedMany`, or an array of vectors (copied for the search: prefer a block to search often).
 * @param k At least 1.
 * @throws {TypeError}
 */
export declare function topK(
  query: Float32Array,
  vectors: Float32Array | readonly Float32Array[] | Embeddings<'float32'>,
  k: number,
): { index: number; score: number }[]

// ---------- errors ------------------------------------------------------------------------------------------------------

/** What went wrong, for programs. Codes keep their meaning between versions. */
export type ErrorCode =
  /** An argument of the wrong type or out of range (a `TypeError`). */
  | 'ERR_INVALID_ARG'
  /** No such folder or package; no such model or revision on the Hub. */
  | 'ERR_MODEL_NOT_FOUND'
  /** The model lacks a file that it needs or that was named; a lock file is missing or does not pin what was asked for. */
  | 'ERR_FILE_NOT_FOUND'
  /** The Hub refuses access: a token is missing or wrong, or the model's terms have not been accepted. */
  | 'ERR_UNAUTHORIZED'
  /** A file is not in the cache and the network may not be used. The message lists what is missing. */
  | 'ERR_OFFLINE'
  /** The Hub could not be reached, or its answers cannot be used, after bounded tries. */
  | 'ERR_DOWNLOAD'
  /** A file's bytes do not have the hash that they must have. */
  | 'ERR_CORRUPT'
  /** A file or folder cannot be read or written, or the disk is full. */
  | 'ERR_DISK'
  /** The model is well formed, and of a kind or with a value that this version does not serve. */
  | 'ERR_MODEL_UNSUPPORTED'
  /** A file of the model is damaged or contradicts another. */
  | 'ERR_MODEL_INVALID'
  /** The device that was named cannot be used, or cannot take the model. The message says what is missing and what to do. */
  | 'ERR_DEVICE'
  /** The addon or ONNX Runtime could not be loaded, or ONNX Runtime failed. */
  | 'ERR_RUNTIME'
  /** A text is longer than `maxInputChars`, or than `maxLength` with truncation `'error'`. */
  | 'ERR_TOO_LONG'
  /** The network gave a value that is not a number. */
  | 'ERR_NUMERIC'
  /** Too much work waits already. */
  | 'ERR_OVERLOADED'
  | 'ERR_TIMEOUT'
  /** The handle has been disposed of. */
  | 'ERR_DISPOSED'
  /** A fault of vecrank. */
  | 'ERR_INTERNAL'

/** Every failure but a wrong argument. `cause` holds what is underneath. */
export declare class VecrankError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown })
  readonly name: 'VecrankError'
  readonly code: ErrorCode
}

// ---------- the machine -------------------------------------------------------------------------------------------------

/** What this machine has to run models with. */
export interface Hardware {
  readonly cpu: {
    readonly model: string
    /** Logical cores of the machine. */
    readonly cores: number
    /** Those that this process may use, a container's quota counted: what `threads` is by default. */
    readonly allowed: number
    /** What of the processor's instructions matters to the encoder, such as `'avx2'`. */
    readonly features: readonly string[]
    /** The set that the encoder uses, as in `ModelInfo`. */
    readonly instructions: string
  }
  /** Bytes: what the machine has, and what this process may use; `null` where it may use all. */
  readonly memory: { readonly total: number; readonly limit: number | null }
  /** GPUs of NVIDIA, in the order of `nvidia-smi`. Those of others are not listed: their devices below say whether they work. */
  readonly gpus: readonly {
    readonly name: string
    /** Version of the driver. */
    readonly driver: string
    /** The newest CUDA that the driver runs, such as `'13.0'`. */
    readonly cuda: string
    /** Bytes in all. */
    readonly memory: number
    /** Bytes that are free now. */
    readonly free: number
  }[]
  /** Every device that can be named. */
  readonly providers: readonly {
    readonly device: Exclude<Device, 'auto' | 'gpu'>
    /** ONNX Runtime's execution provider; the device's own name where its plugin was not found. */
    readonly provider: string
    /** Whether a small graph gave the right numbers on it. */
    readonly available: boolean
    /** What is missing and what to do; `null` where it is available. */
    readonly reason: string | null
    /** The library that has it, where there is one. */
    readonly library: string | null
    /** Version of that library; `null` where it is not known. */
    readonly version: string | null
  }[]
  /** The one ONNX Runtime of this process. */
  readonly onnxruntime: {
    /** Of the library that is open; where none could be opened, of the one that vecrank was made with. */
    readonly version: string
    /** The library; `null` where none was found. */
    readonly path: string | null
    /** Its SHA-256; `null` where it cannot be read. */
    readonly sha256: string | null
    /** Where it was found, in words. */
    readonly place: string | null
    /** Others that were found and not taken, and why. */
    readonly passedOver: readonly string[]
    /** Why it cannot be opened; `null` where it is open. */
    readonly error: string | null
  }
}

/**
 * Looks at the machine and tries every device with a small graph: this opens ONNX Runtime and each device's libraries, and takes as long as they
 * need to start. A device that does not work is no error. `npx vecrank doctor` prints it, and more.
 * @throws {VecrankError} ERR_RUNTIME where the addon cannot be loaded
 */
export declare function hardware(): Promise<Hardware>

// ---------- what a later version brings -----------------------------------------------------------------------------------

/** Not in this version: rejects with `ERR_INVALID_ARG`. */
export declare function pipeline(task: string, model?: string, options?: object): Promise<never>
