'use strict'

/**
 * The environment variables that decide something here, as they may be shown to others: a diagnosis is pasted into a bug report. Of a secret it is
 * said that it is set, and nothing of its value, not even how long it is.
 */

const OURS = /^(VECRANK|HF|HUGGINGFACE|HUGGING_FACE|TRANSFORMERS|ORT|ONNXRUNTIME|CUDA|OPENVINO)_/
const OTHERS = new Set([
  'MODEL_CACHE',
  'XDG_CACHE_HOME',
  'XDG_DATA_HOME',
  'LD_LIBRARY_PATH',
  'VIRTUAL_ENV',
  'CONDA_PREFIX',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
])
/** Names of secrets, but for two that speak of one and hold none. */
const SECRET = /TOKEN|SECRET|PASS|CREDENTIAL|AUTH|KEY/
const HARMLESS = new Set(['HF_TOKEN_PATH', 'HF_HUB_DISABLE_IMPLICIT_TOKEN'])

/** The variables that are set, by name. */
function variables(environment = process.env) {
  const isOurs = (name) => OURS.test(name.toUpperCase()) || OTHERS.has(name.toUpperCase())
  const names = Object.keys(environment).filter((name) => environment[name] && isOurs(name))
  return Object.fromEntries(names.sort().map((name) => [name, shown(name.toUpperCase(), environment[name])]))
}

function shown(name, value) {
  // The token of the Hub is known by its beginning, whatever variable it was put into.
  if ((SECRET.test(name) && !HARMLESS.has(name)) || /\bhf_[A-Za-z0-9]{16}/.test(value)) return 'set'
  return withoutSecrets(value)
}

/** Addresses may hold a name and a password, or a key behind the question mark; a proxy's is often written without `http://`. */
function withoutSecrets(text) {
  const withoutUser = text.replace(/(\b[a-z][\w+.-]*:\/\/)\S*@/gi, '$1...@').replace(/[^\s/:@]+:[^\s/@]+@/g, '...@')
  return withoutUser.replace(/(\b[a-z][\w+.-]*:\/\/[^\s?#]*[?#])\S+/gi, '$1...')
}

module.exports = { variables, withoutSecrets }
