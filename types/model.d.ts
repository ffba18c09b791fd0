/** Models: their options, what was loaded, and what every class of models has. */

/** An option that is planned. Setting it is `ERR_INVALID_ARG` ("not in this version"): it is never ignored. */
export type NotInThisVersion<Planned = unknown> = undefined & { readonly planned?: Planned }

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

/** What a sparse embedder does with a text. */
export interface SparseWay {
  /** What counts of the tokens' logits; `null` where weights are stored for the tokens, and there is no network. */
  readonly pooling: 'max' | 'sum' | null
  /** What is done to a logit; `null` where there are none. */
  readonly activation: 'relu' | 'log1p_relu' | null
  /** Tokens of a text that are used. */
  readonly maxLength: number
  /** The file that the network, or the weights, were read from, relative to `path`. */
  readonly file: string
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
  /** What runs the network; `'table'` where there is none, but a table of vectors (static embeddings). */
  readonly engine: 'graph' | 'encoder' | 'table'
  /** The file that the network was read from, relative to `path`. */
  readonly file: string
  /** The kind of weights, by that file's name; `null` where the name (of an explicit `file`) does not say. */
  readonly dtype: DType | null
  readonly kind: 'embedder' | 'reranker' | 'classifier' | 'token-classifier' | 'sparse-embedder' | 'late-embedder'
  /** Names of the labels, by index; `null` for what has none. */
  readonly labels: readonly string[] | null
  /** Values in a vector, of a sparse one those that are 0 counted in; `null` where there are no vectors. */
  readonly dimensions: number | null
  /** Tokens of a text that are used. */
  readonly maxLength: number
  /** Pooling, or several that are concatenated in this order; `null` where nothing is pooled, and where the graph itself pools. */
  readonly pooling: Pooling | readonly Pooling[] | null
  /**
   * What a sparse embedder does, method by method; `null` for a method that the model has no way for. `maxActive`: numbers of a vector that are kept,
   * `null` for all. `null` for other models.
   */
  readonly sparse: {
    readonly maxActive: number | null
    readonly embed: SparseWay | null
    readonly embedQuery: SparseWay | null
    readonly embedDocument: SparseWay | null
  } | null
  /** Whether vectors are scaled to length 1; `null` where there are no vectors. */
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
export declare abstract class Model {
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

/** Options of every call. */
export interface CallOptions {
  /** Aborting rejects with the signal's reason at once and drops the work that waits. */
  signal?: AbortSignal
  timeoutMs?: NotInThisVersion<number>
  priority?: NotInThisVersion<'interactive' | 'bulk'>
}
