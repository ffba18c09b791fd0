/**
 * The face of Transformers.js over vecrank: names, arguments and results are those of `@huggingface/transformers` 4.3.1. What differs, and why, is in
 * docs/transformers.md. Names that vecrank lacks can be imported in JavaScript and throw `ERR_INVALID_ARG` when they are used; here they are absent, so
 * that TypeScript says so at once.
 *
 * Wrong arguments give a `TypeError` with `code: 'ERR_INVALID_ARG'`; everything else that fails gives a `VecrankError` with a stable `code`.
 *
 * @packageDocumentation
 */

import type { ErrorCode } from './errors'

// Only what says `export` is exported.
export {}

// ---------- settings ----------------------------------------------------------------------------------------------------

/** Which messages are printed: those of a level and above. */
export const LogLevel: { readonly DEBUG: 10; readonly INFO: 20; readonly WARNING: 30; readonly ERROR: 40; readonly NONE: 50 }

/**
 * Settings of the process, read by the next load. What could not be honoured is refused when it is set, and so is a name that is none of these.
 */
export interface TransformersEnvironment {
  /** The version of Transformers.js whose face this is. */
  readonly version: string
  /** Fields of ONNX Runtime for browsers may be set; they have no effect. */
  readonly backends: { onnx: Record<string, any> }
  /** Default `LogLevel.WARNING`. */
  logLevel: number
  /** `false`: nothing is downloaded; what is in the cache is used. Default `true`. */
  allowRemoteModels: boolean
  /** The server that models come from. Default `'https://huggingface.co/'`, which is what the variable `HF_ENDPOINT` says, if it is set. */
  remoteHost: string
  /** Only `'{model}/resolve/{revision}/'`. */
  remotePathTemplate: string
  /** Whether folders of one's own are looked at. Default `true`. */
  allowLocalModels: boolean
  /** The folder of models of one's own: `owner/name` in it comes before the Hub. Default: `models/` in the package. */
  localModelPath: string
  /** Only `true`. */
  useFS: boolean
  /** Only `false`. */
  useBrowserCache: boolean
  /** Only `true`. */
  useFSCache: boolean
  /** The folder of downloads. Default `null`: the cache of `huggingface_hub` (`HF_HUB_CACHE`, `HF_HOME`). */
  cacheDir: string | null
  /** Only `false`. */
  useCustomCache: boolean
  /** Only `null`. */
  customCache: null
  /** Has no effect. */
  useWasmCache: boolean
  /** Has no effect. */
  cacheKey: string
  /** Has no effect. */
  experimental_useCrossOriginStorage: boolean
  /** Not to be replaced: downloads are made by native code. */
  fetch: (input: string | URL, init?: any) => Promise<any>
}
export const env: TransformersEnvironment

// ---------- loading -----------------------------------------------------------------------------------------------------

/** Number formats of weights. */
export type WeightType = 'auto' | 'fp32' | 'fp16' | 'q8' | 'int8' | 'uint8' | 'q4' | 'q4f16' | 'bnb4'
/** Where a network runs. `'wasm'` is the CPU. */
export type DeviceType = 'auto' | 'gpu' | 'cpu' | 'wasm' | 'webgpu' | 'cuda' | 'tensorrt' | 'dml' | 'coreml' | 'openvino'

export interface PretrainedOptions {
  /** Hears of files and of the end. What it throws ends the load. */
  progress_callback?: ProgressCallback | null
  /** In place of the model's `config.json`, for what is read here: labels, number format, device. */
  config?: PretrainedConfig | Record<string, any> | null
  /** The folder of downloads, in place of `env.cacheDir`. */
  cache_dir?: string | null
  /** Nothing is downloaded; what is in the cache is used. Default `false`. */
  local_files_only?: boolean | null
  /** Branch, tag or commit. Default `'main'`. */
  revision?: string | null
}
export interface PretrainedModelOptions extends PretrainedOptions {
  /** Default: what the model's `transformers.js_config` says, else `'fp32'`. By file names where it is an object. */
  dtype?: WeightType | Record<string, WeightType> | null
  /** Default: what the model's `transformers.js_config` says, else `'cpu'`. */
  device?: DeviceType | Record<string, DeviceType> | null
  /** Folder of the graph inside the repository. Default `'onnx'`, where the repository has its graph there. */
  subfolder?: string | null
  /** Name of the graph without the ending of its number format. Default `'model'`. */
  model_file_name?: string | null
  /** `intraOpNumThreads` and `executionProviders` are used; `externalData` and `freeDimensionOverrides` are refused; others have no effect. */
  session_options?: Record<string, any> | null
  /** Has no effect: the graph says which files hold its weights. */
  use_external_data_format?: boolean | number | Record<string, boolean | number> | null
  /** Of version 2: `true` is `dtype: 'q8'`, `false` is `dtype: 'fp32'`. */
  quantized?: boolean | null
}

export type ProgressInfo =
  | { status: 'initiate' | 'download' | 'done'; name: string; file: string }
  | { status: 'progress'; name: string; file: string; progress: number; loaded: number; total: number }
  | {
      status: 'progress_total'
      name: string
      progress: number
      loaded: number
      total: number
      files: Record<string, { loaded: number; total: number }>
    }
  | { status: 'ready'; task: string; model: string }
export type ProgressCallback = (event: ProgressInfo) => void

/** A model, or a file of it, that is not there or may not be read. */
export class ModelFileNotFoundError extends Error {
  constructor(message: string, options?: { status?: number | null })
  readonly code: ErrorCode
  /** The answer of the Hub: 401 or 404; `null` where it was not asked. */
  readonly status: number | null
}

export class PretrainedConfig {
  constructor(configJSON: Record<string, any>)
  static from_pretrained(name: string, options?: PretrainedOptions): Promise<PretrainedConfig>
  model_type: string | null
  is_encoder_decoder: boolean;
  [field: string]: any
}
export class AutoConfig {
  static from_pretrained(name: string, options?: PretrainedOptions): Promise<PretrainedConfig>
}

// ---------- tensors -----------------------------------------------------------------------------------------------------

export type DataType =
  | 'float32'
  | 'float16'
  | 'float64'
  | 'string'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'uint4'
  | 'int4'
/** A typed array of the tensor's type; an array of strings for `'string'`. */
export type DataArray = any

/**
 * Values of one type in a block of dimensions. `tensor[0]`, `view`, `squeeze` and `unsqueeze` share memory with the tensor; everything else gives new
 * memory, but for methods whose name ends in `_`, which change the tensor and give it back.
 */
export class Tensor {
  constructor(type: DataType, data: DataArray, dims?: number[])
  constructor(data: DataArray, dims?: number[])
  constructor(tensor: { type: string; data: any; dims: readonly number[] })
  /** What lies under it, with the properties of ONNX Runtime's own tensors. */
  readonly ort_tensor: any
  dims: number[]
  readonly type: DataType
  readonly data: DataArray
  /** Number of values. */
  readonly size: number
  readonly location: string
  /** A part by its place; negative places, as `tensor[-1]`, count from the end. */
  readonly [index: number]: Tensor
  [Symbol.iterator](): Iterator<any>
  dispose(): void
  /** The value of a tensor of one. */
  item(): number | bigint
  /** Nested arrays; the value itself of a tensor without dimensions. */
  tolist(): any
  /** Where a value stands in `data`, or -1. */
  indexOf(value: number | bigint): number
  clone(): Tensor
  /** For each dimension: a number (that place), `[from, to]` (`null`: the end) or `null` (all of it). */
  slice(...slices: (number | [number | null, number | null] | null)[]): Tensor
  stride(): number[]
  /** One dimension may be -1: what is left. */
  view(...dims: number[]): Tensor
  squeeze(dim?: number | number[] | null): Tensor
  squeeze_(dim?: number | number[] | null): Tensor
  unsqueeze(dim: number): Tensor
  unsqueeze_(dim: number): Tensor
  flatten(start_dim?: number, end_dim?: number): Tensor
  flatten_(start_dim?: number, end_dim?: number): Tensor
  permute(...axes: number[]): Tensor
  /** As `permute`. */
  transpose(...axes: number[]): Tensor
  repeat(...repeats: number[]): Tensor
  tile(...repeats: number[]): Tensor
  to(type: Exclude<DataType, 'string'>): Tensor
  map(callback: (value: any, index: number, data: DataArray) => any): Tensor
  map_(callback: (value: any, index: number, data: DataArray) => any): Tensor
  add(value: number | bigint): Tensor
  add_(value: number | bigint): Tensor
  sub(value: number | bigint): Tensor
  sub_(value: number | bigint): Tensor
  mul(value: number | bigint): Tensor
  mul_(value: number | bigint): Tensor
  div(value: number | bigint): Tensor
  div_(value: number | bigint): Tensor
  /** With the sign of the divisor, as in Python. */
  remainder(value: number | bigint): Tensor
  remainder_(value: number | bigint): Tensor
  clamp(min: number | bigint, max: number | bigint): Tensor
  clamp_(min: number | bigint, max: number | bigint): Tensor
  neg(): Tensor
  neg_(): Tensor
  round(): Tensor
  round_(): Tensor
  sigmoid(): Tensor
  sigmoid_(): Tensor
  tanh(): Tensor
  tanh_(): Tensor
  /** Default: along the last dimension. */
  softmax(dim?: number): Tensor
  /** A tensor of 1 and 0, of type `'bool'`. */
  gt(value: number | bigint): Tensor
  lt(value: number | bigint): Tensor
  /** Over all values, or along a dimension. */
  sum(dim?: number | null, keepdim?: boolean): Tensor
  mean(dim?: number | null, keepdim?: boolean): Tensor
  /** Default: the length by Euclid. Of absolute values, whatever the order. */
  norm(p?: number | 'fro', dim?: number | null, keepdim?: boolean): Tensor
  max(dim?: number | null, keepdim?: boolean): Tensor
  min(dim?: number | null, keepdim?: boolean): Tensor
  argmax(dim?: number | null, keepdim?: boolean): Tensor
  argmin(dim?: number | null, keepdim?: boolean): Tensor
  /** Divided by the norm along a dimension; a part whose norm is 0 stays. */
  normalize(p?: number, dim?: number): Tensor
  normalize_(p?: number, dim?: number): Tensor
}

export function cat(tensors: Tensor[], dim?: number): Tensor
export function stack(tensors: Tensor[], dim?: number): Tensor
export function full(size: number[], fill_value: number | bigint | boolean): Tensor
export function full_like(tensor: Tensor, fill_value: number | bigint | boolean): Tensor
export function ones(size: number[]): Tensor
export function ones_like(tensor: Tensor): Tensor
export function zeros(size: number[]): Tensor
export function zeros_like(tensor: Tensor): Tensor
export function rand(size: number[]): Tensor
export function randn(size: number[]): Tensor
export function permute(tensor: Tensor, axes: number[]): Tensor
export function mean(input: Tensor, dim?: number | null, keepdim?: boolean): Tensor
export function std_mean(input: Tensor, dim?: number | null, correction?: number, keepdim?: boolean): [std: Tensor, mean: Tensor]
/** `[rows, length, width]` and `[rows, length]` to `[rows, width]`; a row without tokens is zero. */
export function mean_pooling(last_hidden_state: Tensor, attention_mask: Tensor): Tensor
export function layer_norm(input: Tensor, normalized_shape: number[], options?: { eps?: number }): Tensor
export function quantize_embeddings(tensor: Tensor, precision: 'binary' | 'ubinary'): Tensor
export function topk(x: Tensor, k?: number | null): Promise<[values: Tensor, indices: Tensor]>
export function matmul(a: Tensor, b: Tensor): Promise<Tensor>
export function slice(data: Tensor, starts: number[], ends: number[], axes: number[], steps?: number[]): Promise<Tensor>

type Numbers = number[] | Float32Array | Float64Array
export function softmax<T extends Numbers>(arr: T): T
export function log_softmax<T extends Numbers>(arr: T): T
export function dot(arr1: Numbers, arr2: Numbers): number
export function cos_sim(arr1: Numbers, arr2: Numbers): number

/** Random numbers as Python's module of that name draws them. */
declare class Random {
  constructor(seed?: number)
  seed(n?: number | null): void
  random(): number
  gauss(mu?: number, sigma?: number): number
  shuffle(array: any[]): void
  choices<T>(population: T[], weights: number[]): T
}
export const random: Pick<Random, 'seed' | 'random' | 'gauss' | 'shuffle' | 'choices'> & { readonly Random: typeof Random }

// ---------- tokenizers --------------------------------------------------------------------------------------------------

export interface TokenizerCallOptions<ReturnTensor extends boolean = boolean> {
  /** The second text of a pair, or of each pair. */
  text_pair?: string | string[] | null
  /** `true`: to the longest of the call. Default `false`. */
  padding?: boolean | 'longest' | 'max_length' | 'do_not_pad' | null
  /** Default `true`. */
  add_special_tokens?: boolean | null
  /** Default `false`. What is cut is text, of pairs the longer one; special tokens stay. */
  truncation?: boolean | 'longest_first' | 'do_not_truncate' | null
  /** Tokens, special ones included. Default: `model_max_length`. */
  max_length?: number | null
  /** Default `true`. */
  return_tensor?: ReturnTensor | null
  /** Python's name; no effect, as in Transformers.js. */
  return_tensors?: unknown
  /** Default: what the class of the tokenizer does. */
  return_token_type_ids?: boolean | null
}
export interface BatchEncoding<Item = Tensor> {
  input_ids: Item
  attention_mask: Item
  token_type_ids?: Item
}
export interface DecodeOptions {
  /** Default `false`. */
  skip_special_tokens?: boolean | null
  /** Default: what the tokenizer's files say, else `true`. */
  clean_up_tokenization_spaces?: boolean | null
}
export interface Message {
  role: string
  content: string | { type: string; [field: string]: any }[]
  [field: string]: any
}
export interface ApplyChatTemplateOptions {
  /** A template, or the name of one of the tokenizer's. */
  chat_template?: string | null
  tools?: object[] | null
  documents?: object[] | null
  /** Default `false`. */
  add_generation_prompt?: boolean | null
  /** `false`: the text. Default `true`: its tokens. */
  tokenize?: boolean | null
  padding?: boolean | null
  truncation?: boolean | null
  max_length?: number | null
  return_tensor?: boolean | null
  /** `false`: the ids alone. Default `true`. */
  return_dict?: boolean | null
  tokenizer_kwargs?: TokenizerCallOptions | null
  /** What else the template reads. */
  [variable: string]: unknown
}

export interface PreTrainedTokenizer {
  (text: string, options: TokenizerCallOptions<false> & { return_tensor: false }): BatchEncoding<number[]>
  (text: string[], options: TokenizerCallOptions<false> & { return_tensor: false }): BatchEncoding<number[][]>
  (text: string | string[], options?: TokenizerCallOptions): BatchEncoding
}
/** Texts to token ids and back. Called like a function; it answers at once. */
export class PreTrainedTokenizer {
  static from_pretrained(name: string, options?: PretrainedModelOptions): Promise<PreTrainedTokenizer>
  /** `tokenizer_config.json`. */
  readonly config: Record<string, any>
  padding_side: 'right' | 'left'
  return_token_type_ids: boolean
  chat_template: string | Record<string, string> | null
  /** `Infinity` where no file says. */
  readonly model_max_length: number
  readonly bos_token: string | null
  readonly bos_token_id: number | undefined
  readonly eos_token: string | null
  readonly eos_token_id: number | undefined
  readonly unk_token: string | null
  readonly unk_token_id: number | undefined
  readonly sep_token: string | null
  readonly sep_token_id: number | undefined
  readonly pad_token: string | null
  readonly pad_token_id: number | undefined
  readonly cls_token: string | null
  readonly cls_token_id: number | undefined
  readonly mask_token: string | null
  readonly mask_token_id: number | undefined
  readonly all_special_ids: number[]
  readonly all_special_tokens: string[]
  get_vocab(): Map<string, number>
  convert_tokens_to_ids(token: string): number | undefined
  convert_tokens_to_ids(tokens: string[]): (number | undefined)[]
  encode(text: string, options?: Pick<TokenizerCallOptions, 'add_special_tokens' | 'return_token_type_ids'> & { text_pair?: string | null }): number[]
  tokenize(text: string, options?: { pair?: string | null; add_special_tokens?: boolean | null }): string[]
  decode(token_ids: number[] | bigint[] | Tensor | ArrayBufferView, options?: DecodeOptions): string
  batch_decode(batch: (number[] | bigint[])[] | Tensor, options?: DecodeOptions): string[]
  get_chat_template(options?: { chat_template?: string | null; tools?: object[] | null }): string
  apply_chat_template(conversation: Message[], options: ApplyChatTemplateOptions & { tokenize: false }): string
  apply_chat_template(conversation: Message[], options?: ApplyChatTemplateOptions): any
}
export { PreTrainedTokenizer as TokenizersBackend }
/** The tokenizer of a model, of the class that its files name. */
export class AutoTokenizer {
  static from_pretrained(name: string, options?: PretrainedModelOptions): Promise<PreTrainedTokenizer>
}
export class AlbertTokenizer extends PreTrainedTokenizer {}
export class BartTokenizer extends PreTrainedTokenizer {}
export class BertTokenizer extends PreTrainedTokenizer {}
export class BloomTokenizer extends PreTrainedTokenizer {}
export class CLIPTokenizer extends PreTrainedTokenizer {}
export class CamembertTokenizer extends PreTrainedTokenizer {}
export class CodeGenTokenizer extends PreTrainedTokenizer {}
export class CodeLlamaTokenizer extends PreTrainedTokenizer {}
export class CohereTokenizer extends PreTrainedTokenizer {}
export class ConvBertTokenizer extends PreTrainedTokenizer {}
export class DebertaTokenizer extends PreTrainedTokenizer {}
export class DebertaV2Tokenizer extends PreTrainedTokenizer {}
export class DistilBertTokenizer extends PreTrainedTokenizer {}
export class ElectraTokenizer extends PreTrainedTokenizer {}
export class EsmTokenizer extends PreTrainedTokenizer {}
export class FalconTokenizer extends PreTrainedTokenizer {}
export class GPT2Tokenizer extends PreTrainedTokenizer {}
export class GPTNeoXTokenizer extends PreTrainedTokenizer {}
export class GemmaTokenizer extends PreTrainedTokenizer {}
export class HerbertTokenizer extends PreTrainedTokenizer {}
export class LlamaTokenizer extends PreTrainedTokenizer {}
export class MPNetTokenizer extends PreTrainedTokenizer {}
export class MobileBertTokenizer extends PreTrainedTokenizer {}
export class Qwen2Tokenizer extends PreTrainedTokenizer {}
export class RoFormerTokenizer extends PreTrainedTokenizer {}
export class RobertaTokenizer extends PreTrainedTokenizer {}
export class SiglipTokenizer extends PreTrainedTokenizer {}
export class SqueezeBertTokenizer extends PreTrainedTokenizer {}
export class T5Tokenizer extends PreTrainedTokenizer {}
export class XLMRobertaTokenizer extends PreTrainedTokenizer {}
export class XLMTokenizer extends PreTrainedTokenizer {}

// ---------- models ------------------------------------------------------------------------------------------------------

export class ModelOutput {
  [name: string]: any
}
export class BaseModelOutput extends ModelOutput {
  /** `[rows, length, width]`; 0 where the mask hides a place. */
  last_hidden_state: Tensor
}
export class SequenceClassifierOutput extends ModelOutput {
  /** `[rows, labels]` */
  logits: Tensor
}
export class TokenClassifierOutput extends ModelOutput {
  /** `[rows, length, labels]`; 0 where the mask hides a place. */
  logits: Tensor
}
export class MaskedLMOutput extends ModelOutput {
  /** `[rows, length, vocabulary]`; 0 where the mask hides a place. */
  logits: Tensor
}

export interface ModelInputs {
  /** `[rows, length]` */
  input_ids: Tensor
  /** Without gaps in a row. Default: every token counts. */
  attention_mask?: Tensor | null
  /** Default: 0. */
  token_type_ids?: Tensor | null
}
export interface PreTrainedModel<Output = ModelOutput> {
  (inputs: ModelInputs): Promise<Output>
}
/** A network, called with what a tokenizer gives. */
export class PreTrainedModel<Output = ModelOutput> {
  static from_pretrained<M extends PreTrainedModel<any>>(
    this: new (...values: any[]) => M,
    name: string,
    options?: PretrainedModelOptions,
  ): Promise<M>
  readonly config: PretrainedConfig
  readonly main_input_name: string
  forward(inputs: ModelInputs): Promise<Output>
  /** Gives the network back; it stays while others use it. */
  dispose(): Promise<unknown[]>
}
/** The network alone: `last_hidden_state`; `logits` where its graph has nothing else to give. */
export class AutoModel {
  static from_pretrained(name: string, options?: PretrainedModelOptions): Promise<PreTrainedModel<BaseModelOutput>>
}
export class AutoModelForSequenceClassification {
  static from_pretrained(name: string, options?: PretrainedModelOptions): Promise<PreTrainedModel<SequenceClassifierOutput>>
}
export class AutoModelForTokenClassification {
  static from_pretrained(name: string, options?: PretrainedModelOptions): Promise<PreTrainedModel<TokenClassifierOutput>>
}
export class AutoModelForMaskedLM {
  static from_pretrained(name: string, options?: PretrainedModelOptions): Promise<PreTrainedModel<MaskedLMOutput>>
}
export class AlbertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class AlbertModel extends AlbertPreTrainedModel<BaseModelOutput> {}
export class AlbertForMaskedLM extends AlbertPreTrainedModel<MaskedLMOutput> {}
export class AlbertForSequenceClassification extends AlbertPreTrainedModel<SequenceClassifierOutput> {}
export class BertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class BertModel extends BertPreTrainedModel<BaseModelOutput> {}
export class BertForMaskedLM extends BertPreTrainedModel<MaskedLMOutput> {}
export class BertForSequenceClassification extends BertPreTrainedModel<SequenceClassifierOutput> {}
export class BertForTokenClassification extends BertPreTrainedModel<TokenClassifierOutput> {}
export class CamembertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class CamembertModel extends CamembertPreTrainedModel<BaseModelOutput> {}
export class CamembertForMaskedLM extends CamembertPreTrainedModel<MaskedLMOutput> {}
export class CamembertForSequenceClassification extends CamembertPreTrainedModel<SequenceClassifierOutput> {}
export class CamembertForTokenClassification extends CamembertPreTrainedModel<TokenClassifierOutput> {}
export class ConvBertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class ConvBertModel extends ConvBertPreTrainedModel<BaseModelOutput> {}
export class ConvBertForMaskedLM extends ConvBertPreTrainedModel<MaskedLMOutput> {}
export class ConvBertForSequenceClassification extends ConvBertPreTrainedModel<SequenceClassifierOutput> {}
export class ConvBertForTokenClassification extends ConvBertPreTrainedModel<TokenClassifierOutput> {}
export class DebertaPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class DebertaModel extends DebertaPreTrainedModel<BaseModelOutput> {}
export class DebertaForMaskedLM extends DebertaPreTrainedModel<MaskedLMOutput> {}
export class DebertaForSequenceClassification extends DebertaPreTrainedModel<SequenceClassifierOutput> {}
export class DebertaForTokenClassification extends DebertaPreTrainedModel<TokenClassifierOutput> {}
export class DebertaV2PreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class DebertaV2Model extends DebertaV2PreTrainedModel<BaseModelOutput> {}
export class DebertaV2ForMaskedLM extends DebertaV2PreTrainedModel<MaskedLMOutput> {}
export class DebertaV2ForSequenceClassification extends DebertaV2PreTrainedModel<SequenceClassifierOutput> {}
export class DebertaV2ForTokenClassification extends DebertaV2PreTrainedModel<TokenClassifierOutput> {}
export class DistilBertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class DistilBertModel extends DistilBertPreTrainedModel<BaseModelOutput> {}
export class DistilBertForMaskedLM extends DistilBertPreTrainedModel<MaskedLMOutput> {}
export class DistilBertForSequenceClassification extends DistilBertPreTrainedModel<SequenceClassifierOutput> {}
export class DistilBertForTokenClassification extends DistilBertPreTrainedModel<TokenClassifierOutput> {}
export class ElectraPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class ElectraModel extends ElectraPreTrainedModel<BaseModelOutput> {}
export class ElectraForMaskedLM extends ElectraPreTrainedModel<MaskedLMOutput> {}
export class ElectraForSequenceClassification extends ElectraPreTrainedModel<SequenceClassifierOutput> {}
export class ElectraForTokenClassification extends ElectraPreTrainedModel<TokenClassifierOutput> {}
export class EsmPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class EsmModel extends EsmPreTrainedModel<BaseModelOutput> {}
export class EsmForMaskedLM extends EsmPreTrainedModel<MaskedLMOutput> {}
export class EsmForSequenceClassification extends EsmPreTrainedModel<SequenceClassifierOutput> {}
export class EsmForTokenClassification extends EsmPreTrainedModel<TokenClassifierOutput> {}
export class EuroBertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class EuroBertModel extends EuroBertPreTrainedModel<BaseModelOutput> {}
export class EuroBertForMaskedLM extends EuroBertPreTrainedModel<MaskedLMOutput> {}
export class EuroBertForSequenceClassification extends EuroBertPreTrainedModel<SequenceClassifierOutput> {}
export class EuroBertForTokenClassification extends EuroBertPreTrainedModel<TokenClassifierOutput> {}
export class MPNetPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class MPNetModel extends MPNetPreTrainedModel<BaseModelOutput> {}
export class MPNetForMaskedLM extends MPNetPreTrainedModel<MaskedLMOutput> {}
export class MPNetForSequenceClassification extends MPNetPreTrainedModel<SequenceClassifierOutput> {}
export class MPNetForTokenClassification extends MPNetPreTrainedModel<TokenClassifierOutput> {}
export class MobileBertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class MobileBertModel extends MobileBertPreTrainedModel<BaseModelOutput> {}
export class MobileBertForMaskedLM extends MobileBertPreTrainedModel<MaskedLMOutput> {}
export class MobileBertForSequenceClassification extends MobileBertPreTrainedModel<SequenceClassifierOutput> {}
export class ModernBertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class ModernBertModel extends ModernBertPreTrainedModel<BaseModelOutput> {}
export class ModernBertForMaskedLM extends ModernBertPreTrainedModel<MaskedLMOutput> {}
export class ModernBertForSequenceClassification extends ModernBertPreTrainedModel<SequenceClassifierOutput> {}
export class ModernBertForTokenClassification extends ModernBertPreTrainedModel<TokenClassifierOutput> {}
export class NeoBertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class NeoBertModel extends NeoBertPreTrainedModel<BaseModelOutput> {}
export class NeoBertForMaskedLM extends NeoBertPreTrainedModel<MaskedLMOutput> {}
export class NeoBertForSequenceClassification extends NeoBertPreTrainedModel<SequenceClassifierOutput> {}
export class NeoBertForTokenClassification extends NeoBertPreTrainedModel<TokenClassifierOutput> {}
export class NomicBertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class NomicBertModel extends NomicBertPreTrainedModel<BaseModelOutput> {}
export class RoFormerPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class RoFormerModel extends RoFormerPreTrainedModel<BaseModelOutput> {}
export class RoFormerForMaskedLM extends RoFormerPreTrainedModel<MaskedLMOutput> {}
export class RoFormerForSequenceClassification extends RoFormerPreTrainedModel<SequenceClassifierOutput> {}
export class RoFormerForTokenClassification extends RoFormerPreTrainedModel<TokenClassifierOutput> {}
export class RobertaPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class RobertaModel extends RobertaPreTrainedModel<BaseModelOutput> {}
export class RobertaForMaskedLM extends RobertaPreTrainedModel<MaskedLMOutput> {}
export class RobertaForSequenceClassification extends RobertaPreTrainedModel<SequenceClassifierOutput> {}
export class RobertaForTokenClassification extends RobertaPreTrainedModel<TokenClassifierOutput> {}
export class SqueezeBertPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class SqueezeBertModel extends SqueezeBertPreTrainedModel<BaseModelOutput> {}
export class SqueezeBertForMaskedLM extends SqueezeBertPreTrainedModel<MaskedLMOutput> {}
export class SqueezeBertForSequenceClassification extends SqueezeBertPreTrainedModel<SequenceClassifierOutput> {}
export class XLMPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class XLMModel extends XLMPreTrainedModel<BaseModelOutput> {}
export class XLMWithLMHeadModel extends XLMPreTrainedModel<MaskedLMOutput> {}
export class XLMForSequenceClassification extends XLMPreTrainedModel<SequenceClassifierOutput> {}
export class XLMForTokenClassification extends XLMPreTrainedModel<TokenClassifierOutput> {}
export class XLMRobertaPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class XLMRobertaModel extends XLMRobertaPreTrainedModel<BaseModelOutput> {}
export class XLMRobertaForMaskedLM extends XLMRobertaPreTrainedModel<MaskedLMOutput> {}
export class XLMRobertaForSequenceClassification extends XLMRobertaPreTrainedModel<SequenceClassifierOutput> {}
export class XLMRobertaForTokenClassification extends XLMRobertaPreTrainedModel<TokenClassifierOutput> {}
export class BartPretrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class BartForSequenceClassification extends BartPretrainedModel<SequenceClassifierOutput> {}
export class MBartPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class MBartForSequenceClassification extends MBartPreTrainedModel<SequenceClassifierOutput> {}
export class Gemma3PreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class Gemma3Model extends Gemma3PreTrainedModel<BaseModelOutput> {}
export class LlamaPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class LlamaModel extends LlamaPreTrainedModel<BaseModelOutput> {}
export class MistralPreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class MistralModel extends MistralPreTrainedModel<BaseModelOutput> {}
export class Qwen2PreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class Qwen2Model extends Qwen2PreTrainedModel<BaseModelOutput> {}
export class Qwen3PreTrainedModel<Output = ModelOutput> extends PreTrainedModel<Output> {}
export class Qwen3Model extends Qwen3PreTrainedModel<BaseModelOutput> {}

// ---------- pipelines ---------------------------------------------------------------------------------------------------

export interface PipelineParts {
  task: string
  model: PreTrainedModel<any>
  tokenizer?: PreTrainedTokenizer | null
  processor?: null
}
/** What all pipelines are. The class was exported by version 3. */
export interface Pipeline {
  readonly task: string
  readonly model: PreTrainedModel<any>
  readonly tokenizer: PreTrainedTokenizer
  dispose(): Promise<void>
}
export const Pipeline: new (parts: PipelineParts) => Pipeline

export interface FeatureExtractionPipelineOptions {
  /** `'none'` (default): a vector a token. The others: one a text. */
  pooling?: 'none' | 'mean' | 'cls' | 'first_token' | 'eos' | 'last_token' | null
  /** Default `false`. */
  normalize?: boolean | null
  /** To bits. Default `false`. */
  quantize?: boolean | null
  /** Default `'binary'`. */
  precision?: 'binary' | 'ubinary' | null
}
export interface FeatureExtractionPipeline extends Pipeline {
  /** `[texts, tokens, width]` without pooling, `[texts, width]` with it. */
  (texts: string | string[], options?: FeatureExtractionPipelineOptions): Promise<Tensor>
}
export const FeatureExtractionPipeline: new (parts: PipelineParts) => FeatureExtractionPipeline
export type FeatureExtractionPipelineType = FeatureExtractionPipeline

export interface TextPair {
  text: string
  text_pair?: string
}
export interface TextClassificationSingle {
  label: string
  /** Softmax over the labels; the sigmoid for one label, and for `multi_label_classification`; the logit for `regression`. */
  score: number
}
export type TextClassificationOutput = TextClassificationSingle[]
export interface TextClassificationPipelineOptions {
  /** Default 1; `null`: all. */
  top_k?: number | null
}
export interface TextClassificationPipeline extends Pipeline {
  (texts: string | TextPair, options?: TextClassificationPipelineOptions): Promise<TextClassificationOutput>
  (texts: (string | TextPair)[], options?: { top_k?: 1 }): Promise<TextClassificationOutput>
  (texts: (string | TextPair)[], options: TextClassificationPipelineOptions): Promise<TextClassificationOutput[]>
}
export const TextClassificationPipeline: new (parts: PipelineParts) => TextClassificationPipeline

export interface TokenClassificationSingle {
  word: string
  score: number
  entity: string
  /** Place of the token in its row. */
  index: number
}
export interface TokenClassificationGroup {
  word: string
  score: number
  entity_group: string
}
export type TokenClassificationOutput = TokenClassificationSingle[]
export interface TokenClassificationPipelineOptions {
  /** Default `['O']`. */
  ignore_labels?: string[] | null
  /** Default `'none'`. */
  aggregation_strategy?: 'none' | 'simple' | null
}
export interface TokenClassificationPipeline extends Pipeline {
  (texts: string, options: TokenClassificationPipelineOptions & { aggregation_strategy: 'simple' }): Promise<TokenClassificationGroup[]>
  (texts: string[], options: TokenClassificationPipelineOptions & { aggregation_strategy: 'simple' }): Promise<TokenClassificationGroup[][]>
  (texts: string, options?: TokenClassificationPipelineOptions): Promise<TokenClassificationSingle[]>
  (texts: string[], options?: TokenClassificationPipelineOptions): Promise<TokenClassificationSingle[][]>
}
export const TokenClassificationPipeline: new (parts: PipelineParts) => TokenClassificationPipeline

export interface ZeroShotClassificationOutput {
  sequence: string
  /** The most likely first. */
  labels: string[]
  scores: number[]
}
export interface ZeroShotClassificationPipelineOptions {
  /** Default `'This example is {}.'` */
  hypothesis_template?: string | null
  /** Each label by itself. Default `false`. */
  multi_label?: boolean | null
}
export interface ZeroShotClassificationPipeline extends Pipeline {
  (texts: string, candidate_labels: string | string[], options?: ZeroShotClassificationPipelineOptions): Promise<ZeroShotClassificationOutput>
  (texts: string[], candidate_labels: string | string[], options?: ZeroShotClassificationPipelineOptions): Promise<ZeroShotClassificationOutput[]>
}
export const ZeroShotClassificationPipeline: new (parts: PipelineParts) => ZeroShotClassificationPipeline

export interface FillMaskSingle {
  score: number
  token: number
  token_str: string
  /** The text with the token in place of the mask. */
  sequence: string
}
export type FillMaskOutput = FillMaskSingle[]
export interface FillMaskPipelineOptions {
  /** Default 5. */
  top_k?: number | null
}
export interface FillMaskPipeline extends Pipeline {
  (texts: string, options?: FillMaskPipelineOptions): Promise<FillMaskOutput>
  (texts: string[], options?: FillMaskPipelineOptions): Promise<FillMaskOutput[]>
}
export const FillMaskPipeline: new (parts: PipelineParts) => FillMaskPipeline

export interface TextRankingSingle {
  /** Place in `documents`. */
  index: number
  score: number
  /** With `return_documents`. */
  text?: string
}
export interface TextRankingPipelineOptions {
  /** Default: all. */
  top_k?: number | null
  /** Default `false`. */
  return_documents?: boolean | null
  /** `'none'` (default): the logit. `'default'`: what the model's files declare. */
  function_to_apply?: 'none' | 'sigmoid' | 'default' | null
}
/** Of vecrank's own: Transformers.js has no pipeline for this task of the Hub. */
export interface TextRankingPipeline extends Pipeline {
  (query: string, documents: (string | { text: string })[], options?: TextRankingPipelineOptions): Promise<TextRankingSingle[]>
}
export const TextRankingPipeline: new (parts: PipelineParts) => TextRankingPipeline

interface Pipelines {
  'feature-extraction': FeatureExtractionPipeline
  embeddings: FeatureExtractionPipeline
  'text-classification': TextClassificationPipeline
  'sentiment-analysis': TextClassificationPipeline
  'token-classification': TokenClassificationPipeline
  ner: TokenClassificationPipeline
  'zero-shot-classification': ZeroShotClassificationPipeline
  'fill-mask': FillMaskPipeline
  'text-ranking': TextRankingPipeline
}
export type PipelineType = keyof Pipelines

/** Everything that a task needs, loaded. Without a model: the one that Transformers.js takes for the task. */
export function pipeline<T extends PipelineType>(task: T, model?: string | null, options?: PretrainedModelOptions): Promise<Pipelines[T]>
