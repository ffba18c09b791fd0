// What is asked of pipelines, tokenizers and models, as in `tensor-cases.mjs`, on the tiny models of tests/fixtures: `env.localModelPath` is that
// folder, and a model's name the rest of the way. Random weights: scores carry no meaning.

export const TEXTS = [
  'What is the capital of France?',
  'Paris is a city on a river.',
  'a',
  'In 1984: (a) "big" one!',
  'caf\u00e9 \u6771\u4eac \ud83d\ude00 na\u00efve',
]
const [SHORT, LONGER] = TEXTS
const LABELS = ['science', 'sports', 'politics']

/** Some of many numbers, from all over, so that the recorded file stays small. */
const some = (numbers, most = 150) => Array.from(numbers).filter((_, index) => index % Math.ceil(numbers.length / most) === 0)

const loaded = new Map()
/** One pipeline of a task and model, for all cases. */
function pipe(library, task, model, options) {
  const key = JSON.stringify([task, model, options])
  if (!loaded.has(library)) loaded.set(library, new Map())
  const pipes = loaded.get(library)
  if (!pipes.has(key)) pipes.set(key, library.pipeline(task, model, options))
  return pipes.get(key)
}

export async function dispose(library) {
  for (const each of loaded.get(library)?.values() ?? []) await (await each.catch(() => undefined))?.dispose?.()
}

export const cases = {}

// ---------- feature-extraction ------------------------------------------------------------------------------------------

for (const model of ['zoo/bert-mean', 'zoo/bert-cls', 'zoo/bert-matryoshka-64', 'zoo/modernbert-cls', 'zoo/xlmr-mean-prefix']) {
  const extract = async (library, ...values) => (await pipe(library, 'feature-extraction', model))(...values)
  cases[`feature-extraction, ${model}, one text`] = (library) => extract(library, 'a')
  cases[`feature-extraction, ${model}, a list of one`] = async (library) => {
    const { type, dims, data } = await extract(library, [LONGER])
    return { type, dims, some: some(data) }
  }
  // What stands at padded places means nothing and is not compared.
  cases[`feature-extraction, ${model}, a list`] = async (library) => {
    const { dims, data } = await extract(library, TEXTS)
    const { attention_mask } = (await pipe(library, 'feature-extraction', model)).tokenizer(TEXTS, { padding: true, truncation: true })
    return {
      dims,
      some: some(
        Array.from(data).filter((_, index) => attention_mask.data[Math.floor(index / dims[2])] === 1n),
        300,
      ),
    }
  }
  for (const pooling of ['mean', 'cls', 'first_token']) {
    for (const normalize of [false, true]) {
      cases[`feature-extraction, ${model}, ${pooling}, ${normalize ? 'normalized' : 'as it is'}`] = async (library) => [
        await extract(library, SHORT, { pooling, normalize }),
        await extract(library, TEXTS, { pooling, normalize }),
      ]
    }
  }
  for (const pooling of ['eos', 'last_token']) {
    cases[`feature-extraction, ${model}, ${pooling}, one text`] = (library) => extract(library, LONGER, { pooling, normalize: true })
  }
  cases[`feature-extraction, ${model}, quantized`] = async (library) => [
    await extract(library, TEXTS, { pooling: 'mean', quantize: true }),
    await extract(library, SHORT, { pooling: 'mean', normalize: true, quantize: true, precision: 'ubinary' }),
  ]
}
cases['feature-extraction, the other name'] = async (library) => (await pipe(library, 'embeddings', 'zoo/bert-mean'))(SHORT, { pooling: 'mean' })
cases['feature-extraction, none, normalized'] = async (library) =>
  (await pipe(library, 'feature-extraction', 'zoo/bert-mean'))(SHORT, { normalize: true })
cases['feature-extraction, tolist'] = async (library) =>
  (await (await pipe(library, 'feature-extraction', 'zoo/bert-mean'))([SHORT, LONGER], { pooling: 'mean' })).tolist()
for (const [what, values] of Object.entries({
  'another pooling': [SHORT, { pooling: 'max' }],
  'another precision': [SHORT, { pooling: 'mean', quantize: true, precision: 'int8' }],
  'quantized tokens': [SHORT, { quantize: true }],
  'no texts': [[]],
  nothing: [undefined],
})) {
  cases[`feature-extraction, ${what}`] = async (library) => (await pipe(library, 'feature-extraction', 'zoo/bert-mean'))(...values)
}

// ---------- text-classification -----------------------------------------------------------------------------------------

for (const model of [
  'zoo/distilbert-classifier-2',
  'zoo/bert-multilabel-3',
  'beyond/roberta-classifier-4',
  'beyond/modernbert-classifier-3',
  'beyond/nli-3',
]) {
  for (const [what, values] of Object.entries({
    'one text': [SHORT],
    'a list of one': [[SHORT]],
    'a list': [TEXTS],
    'one text, top 2': [SHORT, { top_k: 2 }],
    'a list, top 2': [TEXTS, { top_k: 2 }],
    'one text, all': [SHORT, { top_k: null }],
    'a list, all': [TEXTS, { top_k: null }],
    'one text, top 1': [SHORT, { top_k: 1 }],
    'one text, more than there are': [SHORT, { top_k: 100 }],
  })) {
    cases[`text-classification, ${model}, ${what}`] = async (library) => (await pipe(library, 'text-classification', model))(...values)
  }
}
cases['sentiment-analysis'] = async (library) => (await pipe(library, 'sentiment-analysis', 'zoo/distilbert-classifier-2'))(SHORT)
cases['text-classification, no texts'] = async (library) => (await pipe(library, 'text-classification', 'zoo/distilbert-classifier-2'))([])

// ---------- zero-shot-classification ------------------------------------------------------------------------------------

for (const [what, values] of Object.entries({
  'one text': [LONGER, LABELS],
  'a list': [TEXTS.slice(0, 3), LABELS],
  'one label': [LONGER, 'science'],
  'a list of one label': [LONGER, ['science']],
  'several at once': [LONGER, LABELS, { multi_label: true }],
  'another template': [LONGER, LABELS, { hypothesis_template: 'It is about {}!' }],
  'a list, several at once': [[SHORT], LABELS, { multi_label: true, hypothesis_template: '{}' }],
})) {
  cases[`zero-shot-classification, ${what}`] = async (library) => (await pipe(library, 'zero-shot-classification', 'beyond/nli-3'))(...values)
}

// ---------- token-classification ----------------------------------------------------------------------------------------

for (const model of ['zoo/bert-token-classifier']) {
  for (const [what, values] of Object.entries({
    'one text': [LONGER],
    'a list of one': [[LONGER]],
    'a list': [TEXTS],
    'every label': [LONGER, { ignore_labels: [] }],
    'a list, every label': [TEXTS, { ignore_labels: [] }],
    'without a label': [LONGER, { ignore_labels: ['O', 'B-PER', 'I-PER'] }],
    simple: [LONGER, { aggregation_strategy: 'simple' }],
    'simple, a list, every label': [TEXTS, { aggregation_strategy: 'simple', ignore_labels: [] }],
    'another strategy': [LONGER, { aggregation_strategy: 'first' }],
  })) {
    cases[`token-classification, ${model}, ${what}`] = async (library) => (await pipe(library, 'token-classification', model))(...values)
  }
}
cases['ner'] = async (library) => (await pipe(library, 'ner', 'zoo/bert-token-classifier'))(SHORT, { ignore_labels: [] })

// ---------- fill-mask ---------------------------------------------------------------------------------------------------

for (const [what, values] of Object.entries({
  'one text': ['The capital of France is [MASK].'],
  'a list of one': [['The [MASK] of France is Paris.']],
  'a list': [['The [MASK] of France is Paris.', '[MASK]', 'one [MASK] or another [MASK]']],
  'top 2': ['The [MASK] of France is Paris.', { top_k: 2 }],
  'no mask': ['The capital of France is Paris.'],
})) {
  cases[`fill-mask, ${what}`] = async (library) => (await pipe(library, 'fill-mask', 'zoo/splade-mlm'))(...values)
}

// ---------- pipelines ---------------------------------------------------------------------------------------------------

cases['a pipeline: what it holds'] = async (library) => {
  const extractor = await pipe(library, 'feature-extraction', 'zoo/bert-mean')
  const { task, model, tokenizer } = extractor
  return [
    typeof extractor,
    task,
    typeof model,
    typeof tokenizer,
    extractor instanceof library.FeatureExtractionPipeline,
    model.config.hidden_size,
    tokenizer instanceof library.PreTrainedTokenizer,
  ]
}
cases['a task that is none'] = (library) => library.pipeline('embed', 'zoo/bert-mean')
cases['a model that is not there'] = (library) => library.pipeline('feature-extraction', 'zoo/absent')
cases['a model that is not there, what is thrown'] = async (library) => {
  const error = await library.pipeline('feature-extraction', 'zoo/absent').catch((reason) => reason)
  return [error.name, error instanceof library.ModelFileNotFoundError, error instanceof Error, error.status]
}
cases['events'] = async (library) => {
  const seen = []
  const extractor = await library.pipeline('feature-extraction', 'zoo/bert-mean', { progress_callback: (event) => seen.push(event) })
  await extractor.dispose()
  const files = (status) => [...new Set(seen.filter((event) => event.status === status).map(({ file }) => file))].sort()
  const keys = Object.fromEntries(seen.map((event) => [event.status, Object.keys(event).sort()]))
  const last = seen.at(-1)
  return {
    initiate: files('initiate'),
    download: files('download'),
    progress: files('progress'),
    done: files('done'),
    keys,
    last,
    total: seen.filter(({ status }) => status === 'progress_total').at(-1).progress,
  }
}

// ---------- tokenizers --------------------------------------------------------------------------------------------------

const tokenizers = new Map()
function tokenizer(library, model) {
  if (!tokenizers.has(library)) tokenizers.set(library, new Map())
  const known = tokenizers.get(library)
  if (!known.has(model)) known.set(model, library.AutoTokenizer.from_pretrained(model))
  return known.get(model)
}

for (const model of [
  'zoo/bert-mean',
  'zoo/bert-token-classifier',
  'zoo/distilbert-classifier-2',
  'zoo/mpnet-mean-sentence-embedding',
  'zoo/xlmr-mean-prefix',
  'zoo/modernbert-cls',
  'zoo/qwen3-lasttoken',
  'beyond/roberta-classifier-4',
]) {
  for (const [what, values] of Object.entries({
    'one text': [SHORT],
    'a list of one': [[LONGER]],
    'a pair': [SHORT, { text_pair: LONGER }],
    pairs: [[SHORT, 'a'], { text_pair: [LONGER, 'b c'], padding: true }],
    'a list, padded': [TEXTS, { padding: true }],
    'a list, padded and cut where it must be': [TEXTS, { padding: true, truncation: true }],
    'padded to a length': [['a', SHORT], { padding: 'max_length', max_length: 40 }],
    'one text, padded to a length': ['a', { padding: 'max_length', max_length: 12, truncation: true }],
    'without special tokens': [SHORT, { add_special_tokens: false }],
    'as lists': [TEXTS, { return_tensor: false }],
    'one text, as a list': [SHORT, { return_tensor: false }],
    'a pair, as a list': [SHORT, { text_pair: LONGER, return_tensor: false }],
    'as lists, padded': [TEXTS, { return_tensor: false, padding: true }],
    'with types': [SHORT, { return_token_type_ids: true }],
    'without types': [SHORT, { text_pair: LONGER, return_token_type_ids: false }],
    'a limit that is not reached': [SHORT, { max_length: 40, truncation: true }],
    'a list of several lengths': [TEXTS],
    nothing: [undefined],
    'no texts': [[]],
    'a list with one pair': [[SHORT, LONGER], { text_pair: LONGER }],
    'one text with a list of pairs': [SHORT, { text_pair: [LONGER] }],
    'lists of different lengths': [[SHORT, LONGER], { text_pair: [SHORT] }],
  })) {
    cases[`tokenizer, ${model}, ${what}`] = async (library) => (await tokenizer(library, model))(...values)
  }
  cases[`tokenizer, ${model}, what it is`] = async (library) => {
    const it = await tokenizer(library, model)
    const {
      mask_token,
      mask_token_id,
      pad_token,
      pad_token_id,
      sep_token,
      sep_token_id,
      unk_token,
      unk_token_id,
      bos_token,
      bos_token_id,
      eos_token,
      eos_token_id,
    } = it
    const { padding_side, model_max_length, return_token_type_ids, all_special_ids, all_special_tokens } = it
    const names = {
      mask_token,
      mask_token_id,
      pad_token,
      pad_token_id,
      sep_token,
      sep_token_id,
      unk_token,
      unk_token_id,
      bos_token,
      bos_token_id,
      eos_token,
      eos_token_id,
    }
    // What is absent is null here and undefined there.
    return {
      names: Object.fromEntries(Object.entries(names).map(([name, value]) => [name, value ?? null])),
      padding_side,
      model_max_length,
      return_token_type_ids,
      special: [all_special_ids, all_special_tokens],
      kind: it.constructor.name.replace(/^_/, ''),
      isTokenizer: it instanceof library.PreTrainedTokenizer,
    }
  }
  cases[`tokenizer, ${model}, encode`] = async (library) => {
    const it = await tokenizer(library, model)
    return [it.encode(SHORT), it.encode(SHORT, { add_special_tokens: false }), it.encode(SHORT, { text_pair: LONGER })]
  }
  cases[`tokenizer, ${model}, tokenize`] = async (library) => {
    const it = await tokenizer(library, model)
    return [it.tokenize(SHORT), it.tokenize(SHORT, { add_special_tokens: true }), it.tokenize(SHORT, { pair: 'a b', add_special_tokens: true })]
  }
  cases[`tokenizer, ${model}, decode`] = async (library) => {
    const it = await tokenizer(library, model)
    const ids = it.encode(LONGER)
    const inputs = it(LONGER)
    return [
      it.decode(ids),
      it.decode(ids, { skip_special_tokens: true }),
      it.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
      it.decode(ids.map(BigInt), { skip_special_tokens: true }),
      it.decode(inputs.input_ids, { skip_special_tokens: true }),
      it.decode(inputs.input_ids[0]),
    ]
  }
  cases[`tokenizer, ${model}, batch_decode`] = async (library) => {
    const it = await tokenizer(library, model)
    const { input_ids } = it([SHORT, 'a'], { padding: true })
    return [it.batch_decode(input_ids, { skip_special_tokens: true }), it.batch_decode([it.encode(SHORT), it.encode('a')])]
  }
  cases[`tokenizer, ${model}, its words`] = async (library) => {
    const it = await tokenizer(library, model)
    const words = it.tokenize(SHORT)
    return [it.convert_tokens_to_ids(words), it.convert_tokens_to_ids(words[0]), it.get_vocab().size, [...it.get_vocab()].slice(0, 5)]
  }
}
cases['tokenizer, decode of several rows'] = async (library) => {
  const it = await tokenizer(library, 'zoo/bert-mean')
  return it.decode(it([SHORT, LONGER], { padding: true }).input_ids)
}
cases['tokenizer, decode of a text'] = async (library) => (await tokenizer(library, 'zoo/bert-mean')).decode('a')

// ---------- configurations and models -----------------------------------------------------------------------------------

cases['a configuration'] = async (library) => {
  const config = await library.AutoConfig.from_pretrained('zoo/distilbert-classifier-2')
  const { model_type, id2label, architectures, is_encoder_decoder } = config
  return { model_type, id2label, architectures, is_encoder_decoder, isOne: config instanceof library.PretrainedConfig }
}

const MODELS = [
  ['AutoModel', 'zoo/bert-mean'],
  ['AutoModel', 'zoo/xlmr-mean-prefix'],
  ['BertModel', 'zoo/bert-cls'],
  ['AutoModelForSequenceClassification', 'zoo/distilbert-classifier-2'],
  ['AutoModelForSequenceClassification', 'zoo/bert-ranker-1'],
  ['AutoModelForSequenceClassification', 'zoo/xlmr-ranker-1-undeclared'],
  ['AutoModelForTokenClassification', 'zoo/bert-token-classifier'],
  ['AutoModelForMaskedLM', 'zoo/splade-mlm'],
]
for (const [auto, model] of MODELS) {
  cases[`${auto}, ${model}`] = async (library) => {
    const it = await tokenizer(library, model)
    const network = await library[auto].from_pretrained(model)
    try {
      const inputs = it([SHORT, 'a'], {
        text_pair: auto.endsWith('SequenceClassification') ? [LONGER, 'b'] : undefined,
        padding: true,
        truncation: true,
      })
      const outputs = await network(inputs)
      const [name] = ['last_hidden_state', 'logits'].filter((each) => outputs[each] !== undefined)
      const tensor = outputs[name]
      const { type, dims, data } = tensor
      const width = dims.at(-1)
      const shown =
        dims.length === 2 ? Array.from(data) : Array.from(data).filter((_, index) => inputs.attention_mask.data[Math.floor(index / width)] === 1n)
      const isTensor = tensor instanceof library.Tensor
      return {
        name,
        type,
        dims,
        some: some(shown),
        isTensor,
        config: network.config.model_type,
        isModel: network instanceof library.PreTrainedModel,
        kind: network.constructor.name.replace(/^_/, ''),
        again: (await network.forward(it('a')))[name].dims,
      }
    } finally {
      await network.dispose()
    }
  }
}
