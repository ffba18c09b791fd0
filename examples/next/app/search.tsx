'use client'

import { useRef, useState, type FormEvent } from 'react'
import type { Found, Progress, Result, SearchEvent } from '../lib/events'

const EXAMPLES = ['Who paid for Tesla’s laboratory?', 'Who discovered oxygen first?', 'How big is the Amazon?']

export function Search() {
  const [query, setQuery] = useState('')
  const [isBusy, setBusy] = useState(false)
  const [progress, setProgress] = useState<Partial<Record<Progress['model'], Progress>>>({})
  const [found, setFound] = useState<Found>()
  const [failure, setFailure] = useState<string>()
  const running = useRef<AbortController>(null)

  async function ask(text: string) {
    // A new question takes the place of one that is not answered yet.
    running.current?.abort()
    const { signal } = (running.current = new AbortController())
    setQuery(text)
    setBusy(true)
    setFailure(undefined)
    try {
      for await (const event of events(text, signal)) {
        if (event.type === 'progress') setProgress((before) => ({ ...before, [event.model]: event }))
        else if (event.type === 'result') setFound(event)
        else setFailure(event.message)
      }
    } catch (error) {
      if (!signal.aborted) setFailure(error instanceof Error ? error.message : String(error))
    }
    if (signal.aborted) return
    setBusy(false)
    setProgress({})
  }

  function submit(event: FormEvent) {
    event.preventDefault()
    void ask(query)
  }

  return (
    <>
      <form onSubmit={submit} role="search">
        <input
          type="search"
          name="query"
          aria-label="Question"
          placeholder="Ask in your own words"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          maxLength={1000}
          required
        />
        <button type="submit">Search</button>
      </form>
      <p className="examples">
        Try:{' '}
        {EXAMPLES.map((text) => (
          <button key={text} type="button" onClick={() => void ask(text)}>
            {text}
          </button>
        ))}
      </p>
      <div className="status" role="status">
        {Object.values(progress).map((each) => (
          <Loading key={each.model} {...each} />
        ))}
        {failure && <p className="failure">{failure}</p>}
        {found && !failure && !isBusy && <Timings {...found.timings} />}
      </div>
      <ol className="results" aria-busy={isBusy}>
        {found?.results.map((result) => <Entry key={result.text} {...result} />)}
      </ol>
    </>
  )
}

function Loading({ model, status, loaded, total }: Progress) {
  return (
    <label className="loading">
      The {model} is {status}
      <progress max={1} value={status === 'ready' ? 1 : total ? loaded! / total : undefined} />
    </label>
  )
}

function Timings({ load, embed, search, rerank }: Found['timings']) {
  const steps = [load > 1 && `Load ${time(load)}`, `Embed ${time(embed)}`, `Search ${time(search)}`, `Rerank ${time(rerank)}`]
  return <p>{steps.filter(Boolean).join(' · ')}</p>
}

function Entry({ title, text, score, similarity, place }: Result) {
  return (
    <li>
      <h2>{title}</h2>
      <p>{text}</p>
      <dl>
        <dt>Relevance</dt>
        <dd>
          <meter min={0} max={1} value={score} /> {score.toFixed(3)}
        </dd>
        <dt>Cosine</dt>
        <dd>{similarity.toFixed(3)}</dd>
        <dt>Place by cosine</dt>
        <dd>{place}</dd>
      </dl>
    </li>
  )
}

/** What the server says, line by line as it comes. */
async function* events(query: string, signal: AbortSignal): AsyncGenerator<SearchEvent> {
  const response = await fetch('/api/search', { method: 'POST', body: JSON.stringify({ query }), signal })
  if (!response.ok || response.body === null) throw new Error((await response.json()).error)
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n')
    rest = lines.pop()!
    yield* lines.map((line) => JSON.parse(line) as SearchEvent)
  }
}

function time(milliseconds: number) {
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${milliseconds.toFixed(0)} ms`
}
