// Places in a Next.js application where vecrank cannot work. Each shows the error that it gets.

const told = `({ name, code, message }: { name: string; code: string; message: string }) => ({ name, code, message })`

/** Files of the application, by name. */
export const mistakes = {
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
