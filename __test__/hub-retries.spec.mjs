// How often the Hub is asked again, and when. The Hub counts the requests and notes their times.

import assert from 'node:assert/strict'
import net from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { failure } from './fixtures.mjs'
import { pull, smallest } from './hub/drive.mjs'
import { FakeHub } from './hub/hub.mjs'
import { assertSound, temporary } from './hub/world.mjs'

const GRAPH = 'onnx/model.onnx'

/** The requests that lead to a model, each with what comes before it. */
const requests = {
  'the commit': { path: /\/revision\// },
  'the list of files': { path: /\/tree\// },
  'a small file': { server: 'hub', file: 'config.json' },
  'a large file, at the Hub': { server: 'hub', file: GRAPH },
  'a large file, at the CDN': { server: 'cdn', file: GRAPH },
}

async function start(t) {
  const hub = await FakeHub.start()
  t.after(() => hub.close())
  const id = 'retries/one'
  hub.add(id, smallest())
  return { hub, id, cacheDir: join(temporary(t), 'hub') }
}

/** When the requests came that match. */
function timesOf(hub, match) {
  const fits = (value, wanted) => (wanted instanceof RegExp ? wanted.test(value) : wanted === value)
  const isAmong = (entry) => Object.entries(match).every(([name, wanted]) => fits(entry[name], wanted))
  return hub.requests.filter(isAmong).map(({ time }) => time)
}

describe('what cannot pass is not tried again', { concurrency: true }, () => {
  for (const [name, match] of Object.entries(requests)) {
    for (const status of [400, 401, 403, 404, 410]) {
      test(`${status} for ${name}`, async (t) => {
        const all = await start(t)
        all.hub.fault(match, { status, headers: { 'retry-after': '0' } })
        await assert.rejects(pull(all), (error) => /^ERR_(DOWNLOAD|UNAUTHORIZED|FILE_NOT_FOUND|MODEL_NOT_FOUND)$/.test(error.code))
        assert.equal(timesOf(all.hub, match).length, 1)
      })
    }
  }
})

describe('what may pass is tried up to six times', { concurrency: true }, () => {
  for (const [name, match] of Object.entries(requests)) {
    for (const status of [408, 429, 500, 502, 503, 504]) {
      test(`${status} for ${name}`, async (t) => {
        const all = await start(t)
        all.hub.fault(match, { status })
        await assert.rejects(pull(all), failure('ERR_DOWNLOAD', new RegExp(`status ${status} \\(tried 6 times\\)`)))
        assert.equal(timesOf(all.hub, match).length, 6)
      })
    }
  }

  test('a connection that breaks at once', async (t) => {
    let connections = 0
    const server = net.createServer((socket) => {
      connections++
      socket.resetAndDestroy()
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const all = await start(t)
    const broken = pull({ ...all, hub: { url: `http://127.0.0.1:${server.address().port}` } })
    await assert.rejects(broken, failure('ERR_DOWNLOAD', /could not be reached \(tried 6 times\)/))
    assert.equal(connections, 6)
  })

  const answers = {
    'nothing at all': '',
    'another protocol': 'SSH-2.0-Server\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'a megabyte of headers': `HTTP/1.1 200 OK\r\n${`x-many: ${'a'.repeat(1000)}\r\n`.repeat(1000)}\r\n`,
    'a redirect to no address': 'HTTP/1.1 302 Found\r\nLocation: \x01\r\nContent-Length: 0\r\n\r\n',
    'JSON that is another thing': 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull',
    'JSON without bottom': `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${'['.repeat(1e6)}`,
    'a commit that is a path': 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"sha":"../../../../commit"}',
  }
  for (const [name, answer] of Object.entries(answers)) {
    test(`a server that is no Hub: ${name}`, async (t) => {
      let connections = 0
      const server = net.createServer((socket) => {
        connections++
        socket.on('error', () => {}).once('data', () => socket.end(answer))
      })
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
      t.after(() => server.close())
      const all = await start(t)
      const pulling = pull({ ...all, hub: { url: `http://127.0.0.1:${server.address().port}` } })
      await assert.rejects(pulling, failure('ERR_DOWNLOAD', /HF_ENDPOINT/))
      assert.ok(connections >= 1 && connections <= 6, `${connections} connections`)
      assert.deepEqual(assertSound(all.cacheDir), [])
    })
  }

  test('five times is not too often', async (t) => {
    const all = await start(t)
    all.hub.fault(requests['a small file'], { status: 503 }, { times: 5 })
    await pull(all)
    assertSound(all.cacheDir)
  })
})

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT'
/** How the Hub asks to wait for two seconds; or says something that does not ask for it. */
const waits = {
  'Retry-After: 2': { headers: { 'retry-after': '2' }, least: 2000 },
  'Retry-After: 2 with 503': { status: 503, headers: { 'retry-after': '2' }, least: 2000 },
  // By the server's clock: the client's may be wrong by years.
  'Retry-After: a date in two seconds': { headers: { date: DATE, 'retry-after': DATE.replace('37', '39') }, least: 2000 },
  'RateLimit, exhausted for 2 s': { headers: { ratelimit: '"api";r=0;t=2' }, least: 2000 },
  'Retry-After: 2 beside RateLimit of 1 s': { headers: { 'retry-after': '2', ratelimit: '"api";r=0;t=1' }, least: 2000 },
  'RateLimit with some left': { headers: { ratelimit: '"api";r=5;t=60' }, least: 0 },
  'Retry-After: 0': { headers: { 'retry-after': '0' }, least: 0 },
  'Retry-After: soon': { headers: { 'retry-after': 'soon' }, least: 0 },
  'Retry-After: a date that has passed': { headers: { date: DATE, 'retry-after': DATE.replace('1994', '1993') }, least: 0 },
}

describe('the Hub says when to come again', { concurrency: true }, () => {
  for (const [name, { status = 429, headers, least }] of Object.entries(waits)) {
    for (const [what, match] of Object.entries(requests)) {
      test(`${name}, for ${what}`, async (t) => {
        const all = await start(t)
        all.hub.fault(match, { status, headers }, { times: 1 })
        await pull(all)
        const times = timesOf(all.hub, match)
        assert.equal(times.length, 2)
        const gap = times[1] - times[0]
        // One millisecond for the two roundings of the clock; the most is for a machine that is busy.
        assert.ok(gap >= least - 1 && gap <= least + 1500, `came again after ${gap} ms`)
      })
    }
  }
})

describe('a wait that is too long is not begun', { concurrency: true }, () => {
  const long = {
    3600: { 'retry-after': '3600' },
    29: { 'retry-after': '29' },
    86403: { date: DATE, 'retry-after': 'Mon, 07 Nov 1994 08:49:40 GMT' },
    400: { ratelimit: '"api";r=0;t=400' },
  }
  for (const [seconds, headers] of Object.entries(long)) {
    for (const [what, match] of Object.entries(requests)) {
      test(`${seconds} s for ${what}`, async (t) => {
        const all = await start(t)
        all.hub.fault(match, { status: 429, headers })
        const begun = performance.now()
        const said = new RegExp(`status 429 \\(tried once, and the Hub asks to wait ${seconds} s\\)`)
        await assert.rejects(pull(all), failure('ERR_DOWNLOAD', said))
        assert.ok(performance.now() - begun < 1500)
        assert.equal(timesOf(all.hub, match).length, 1)
      })
    }
  }
})

test('clients that failed together do not come back together', async (t) => {
  const all = await start(t)
  const ids = Array.from({ length: 20 }, (_, number) => `jitter/${number}`)
  for (const id of ids) all.hub.add(id, smallest())
  all.hub.fault({ path: /\/revision\// }, { status: 503 })
  await Promise.all(ids.map((id) => assert.rejects(pull({ ...all, id }), failure('ERR_DOWNLOAD'))))
  const pauses = ids.map((id) => timesOf(all.hub, { id })).map((times) => times[4] - times[3])
  // The fourth pause is of 0.3 to 1.2 s: of twenty, some are far apart. Without chance they would differ by what the machine is late.
  assert.ok(Math.max(...pauses) - Math.min(...pauses) > 250, pauses.join(' '))
  for (const pause of pauses) assert.ok(pause > 250, `never at once: ${pause} ms`)
})
