// Vectors of the device against those of fp32 on the CPU, over real texts: all together, and each alone against its row.

import { Embedder } from 'vecrank'
import { isOn, lacks, likeness, optionsFor, placeOf, someTexts } from './subject.mjs'

/**
 * The least cosine to the CPU, and of a lone text to its row. fp32 of CUDA multiplies in TF32 where the GPU has it, which keeps 10 bits of a
 * number's 23.
 */
const LIMITS = { fp32: 0.9999, fp16: 0.999 }

export async function parity({ device, model, quick }) {
  const texts = someTexts(quick ? 40 : 300)
  const reference = new Embedder(model, optionsFor('cpu', 'fp32'))
  const expected = await reference.embed(texts)
  await reference.dispose()

  const results = []
  for (const dtype of Object.keys(LIMITS)) {
    const leftOut = lacks(model, dtype)
    if (leftOut !== undefined) results.push({ dtype, leftOut })
    else results.push(await compare(dtype, { device, model, texts, expected }).catch((error) => ({ dtype, holds: false, error: { code: error.code, message: error.message } })))
  }
  return { texts: texts.length, results, holds: results.every(({ holds, leftOut }) => holds ?? leftOut !== undefined) }
}

async function compare(dtype, { device, model, texts, expected }) {
  const embedder = new Embedder(model, optionsFor(device, dtype))
  try {
    const rows = await embedder.embed(texts)
    const lone = []
    for (const text of texts.slice(0, 20)) lone.push(await embedder.embed(text))
    const info = await embedder.info()
    const toCpu = likeness(rows, expected)
    const toRow = likeness(lone, rows)
    const holds = isOn(info, device) && toCpu.least >= LIMITS[dtype] && toRow.least >= LIMITS[dtype]
    return { dtype, holds, limit: LIMITS[dtype], toCpu, toRow, place: placeOf(info) }
  } finally {
    await embedder.dispose()
  }
}
