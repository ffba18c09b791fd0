import type { SearchEvent } from '../../../lib/events'
import { search } from '../../../lib/search'

const LONGEST = 1000

/** `{ query }` in, lines of JSON out: progress while the models load, then the result. */
export async function POST(request: Request) {
  const query = await readQuery(request)
  if (query === undefined) {
    return Response.json({ error: `Send JSON with a "query": a text of 1 to ${LONGEST} characters.` }, { status: 400 })
  }
  // Ends the work of a visitor who has left.
  const { signal } = request
  const encoder = new TextEncoder()
  const stream = new ReadableStream({
    async start(controller) {
      const send = (event: SearchEvent) => signal.aborted || controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`))
      try {
        send(await search(query, { signal, onProgress: send }))
      } catch (error) {
        if (signal.aborted) return
        console.error(error)
        send({ type: 'error', message: 'The search failed. The server has logged why.' })
      }
      if (!signal.aborted) controller.close()
    },
  })
  return new Response(stream, { headers: { 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'no-store' } })
}

async function readQuery(request: Request): Promise<string | undefined> {
  const body = await request.json().catch(() => undefined)
  const query = typeof body?.query === 'string' ? body.query.trim() : ''
  return query.length > 0 && query.length <= LONGEST ? query : undefined
}
