// Rows of a limited length: which tokens of a text, or of a pair, stay. A tokenizer of letters stands in, so that the expected rows can be read.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { failure } from './fixtures.mjs'

const { truncated } = createRequire(import.meta.url)('../lib/transformers/truncation.js')

/** `abc` with the template `[$A]$B]`; letters are ids, brackets are special tokens. */
const letters = {
  encode(text, pair, addSpecialTokens) {
    const row = !addSpecialTokens ? text + (pair ?? '') : pair === undefined ? `[${text}]` : `[${text}]${pair}]`
    const second = addSpecialTokens ? text.length + 2 : text.length
    return { ids: Uint32Array.from(row, (letter) => letter.charCodeAt(0)), typeIds: Uint32Array.from(row, (_, index) => (index < second ? 0 : 1)) }
  },
}
function cut(text, pair, maxLength, { side = 'right', addSpecialTokens = true } = {}) {
  const row = letters.encode(text, pair, addSpecialTokens)
  const { ids, typeIds } = truncated(letters, row, { text, pair, addSpecialTokens, maxLength, side })
  return [String.fromCharCode(...ids), Array.from(typeIds).join('')]
}

test('a text loses its end, or its beginning, and no special token', () => {
  assert.deepEqual(cut('abcdefgh', undefined, 5), ['[abc]', '00000'])
  assert.deepEqual(cut('abcdefgh', undefined, 5, { side: 'left' }), ['[fgh]', '00000'])
  assert.deepEqual(cut('abcdefgh', undefined, 2), ['[]', '00'])
  assert.deepEqual(cut('abcdefgh', undefined, 5, { addSpecialTokens: false }), ['abcde', '00000'])
})

test('of a pair the longer text is cut; of two long ones the longer gets the odd token, the second if they are equal', () => {
  assert.deepEqual(cut('abcdefgh', 'xy', 8), ['[abc]xy]', '00000111'])
  assert.deepEqual(cut('ab', 'stuvwxyz', 8), ['[ab]stu]', '00001111'])
  assert.deepEqual(cut('abcdef', 'uvwxyz', 9), ['[abc]uvw]', '000001111'])
  assert.deepEqual(cut('abcdefg', 'uvwxyz', 10), ['[abcd]uvw]', '0000001111'])
  assert.deepEqual(cut('abcdef', 'uvwxyz', 10), ['[abc]uvwx]', '0000011111'])
  assert.deepEqual(cut('abcdef', 'uvwxyz', 9, { side: 'left' }), ['[def]xyz]', '000001111'])
  assert.deepEqual(cut('abcdef', 'uvwxyz', 4, { addSpecialTokens: false }), ['abuv', '0011'])
})

test('texts that repeat themselves, or hold special tokens, are found where they are', () => {
  assert.deepEqual(cut('aaaaaaa', 'aaaaaaa', 9), ['[aaa]aaa]', '000001111'])
  assert.deepEqual(cut(']]]]]]', '[[[[[[', 9), ['[]]]][[[]', '000001111'])
  assert.deepEqual(cut('', 'uvwxyz', 6), ['[]uvw]', '001111'])
})

test('less than the special tokens is refused', () => {
  assert.throws(() => cut('abc', 'xyz', 2), failure('ERR_INVALID_ARG', /at least 3/))
})
