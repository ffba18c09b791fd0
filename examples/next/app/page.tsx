import library from '../data/passages.json'
import { Search } from './search'

export default function Page() {
  return (
    <main>
      <header>
        <h1>Ask {library.passages.length} passages</h1>
        <p>Your question is embedded, compared and reranked inside this server.</p>
      </header>
      <Search />
      <footer>
        Texts: {library.source}, {library.licence}.
      </footer>
    </main>
  )
}
