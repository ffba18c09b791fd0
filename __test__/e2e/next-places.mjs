// Places in a Next.js application that the example does not use: those where vecrank works as well, also under the name of Transformers.js, and those
// where it cannot, each of which shows the error that it gets.

import { MODELS, QUERY } from '../pack/smoke.mjs'

const told = `({ name, code, message }: { name: string; code: string; message: string }) => ({ name, code, message })`

/** Files of the application, by name. */
export const places = {
  'app/server/page.tsx': `
    import { redirect } from 'next/navigation'
    import { embed } from 'vecrank'
    export const dynamic = 'force-dynamic'
    async function ask() {
      'use server'
      redirect('/server?action=' + (await embed('text')).length)
    }
    export default async function Page() {
      return <form action={ask}><button>{(await embed('text')).length} values</button></form>
    }
  `,
  'app/api/by-name/route.ts': `
    import { pipeline } from '@huggingface/transformers'
    export const dynamic = 'force-dynamic'
    const loading = pipeline('feature-extraction', '${MODELS[0]}', { dtype: 'q8' })
    export async function GET() {
      const extract = await loading
      const output = await extract('${QUERY}', { pooling: 'mean', normalize: true })
      return Response.json(output.tolist())
    }
  `,
  'app/api/by-name-edge/route.ts': `
    import { pipeline } from '@huggingface/transformers'
    export const runtime = 'edge'
    export async function GET() {
      return Response.json(await pipeline('feature-extraction', 'a/model').catch(${told}))
    }
  `,
  'app/api/edge/route.ts': `
    import { embed } from 'vecrank'
    export const runtime = 'edge'
    export async function GET() {
      return Response.json(await embed('text').catch(${told}))
    }
  `,
  'middleware.ts': `
    import { embed } from 'vecrank'
    import { NextResponse } from 'next/server'
    export const config = { matcher: '/api/middleware' }
    export async function middleware() {
      return NextResponse.json(await embed('text').catch(${told}))
    }
  `,
  'app/client/page.tsx': `
    import { Client } from './client'
    export default function Page() {
      return <Client />
    }
  `,
  'app/client/client.tsx': `
    'use client'
    import { useEffect, useState } from 'react'
    import { embed } from 'vecrank'
    export function Client() {
      const [told, setTold] = useState('')
      useEffect(() => {
        embed('text').then(() => setTold('embedded'), (error) => setTold(JSON.stringify((${told})(error))))
      }, [])
      return <output>{told}</output>
    }
  `,
}
