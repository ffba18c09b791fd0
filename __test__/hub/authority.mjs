// A certificate authority for tests of HTTPS, from node:crypto alone: no program, no file, no key that anyone could find in the repository.
//
// node:crypto makes keys and signs, but writes no certificates, so their DER encoding (X.509 v3, RFC 5280) is written here. Only what these
// certificates need is there. Verifiers differ in what they overlook; these are made for the strict ones.

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

const HOUR = 3_600_000

// ---------- DER ----------------------------------------------------------------------------------------------------------

function encode(tag, ...parts) {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content])
  // Longer lengths: how many bytes the length has, then the length.
  const hex = content.length.toString(16)
  const length = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content])
}

const sequence = (...parts) => encode(0x30, ...parts)
const octets = (bytes) => encode(0x04, bytes)
const isTrue = encode(0x01, Buffer.from([0xff]))

/** A tag of the context, plain ([0], [1]...) or around other elements. */
const tagged = (number, ...parts) => encode(0xa0 | number, ...parts)
const taggedPlain = (number, bytes) => encode(0x80 | number, bytes)

/** A string of bits whose last `unused` bits do not count. */
const bits = (bytes, unused = 0) => encode(0x03, Buffer.from([unused]), bytes)

/** A positive integer from its bytes, in the shortest form that DER wants. */
function integer(bytes) {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const shortest = bytes.subarray(start)
  return encode(0x02, shortest[0] & 0x80 ? Buffer.concat([Buffer.from([0]), shortest]) : shortest)
}

/** An object identifier such as '2.5.29.17'. */
function identifier(dotted) {
  const [first, second, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second].concat(
    ...rest.map((number) => {
      const groups = [number & 0x7f]
      for (let left = number >> 7; left > 0; left >>= 7) groups.unshift(0x80 | (left & 0x7f))
      return groups
    }),
  )
  return encode(0x06, Buffer.from(bytes))
}

/** A point in time. Years until 2049 must have two digits, all others four. */
function time(date) {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  return date.getUTCFullYear() < 2050 ? encode(0x17, Buffer.from(digits.slice(2))) : encode(0x18, Buffer.from(digits))
}

// ---------- certificates -------------------------------------------------------------------------------------------------

const ECDSA_WITH_SHA256 = sequence(identifier('1.2.840.10045.4.3.2'))
const SERVER_AUTHENTICATION = identifier('1.3.6.1.5.5.7.3.1')

/** A distinguished name of a single common name. */
const commonName = (name) => sequence(encode(0x31, sequence(identifier('2.5.4.3'), encode(0x0c, Buffer.from(name)))))

const extension = (id, value, isCritical = false) => sequence(identifier(id), ...(isCritical ? [isTrue] : []), octets(value))

function addressBytes(address) {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [left, right] = address.split('::').map((half) => half.split(':').filter(Boolean))
  const groups = right ? [...left, ...Array(8 - left.length - right.length).fill('0'), ...right] : left
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

/** A pair of keys. `id` is how certificates refer to it: the SHA-1 of the point, the last 65 bytes of the public key's DER. */
function makeKeys() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const info = publicKey.export({ type: 'spki', format: 'der' })
  const id = createHash('sha1').update(info.subarray(-65)).digest()
  return { info, id, privateKey, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }) }
}

function certify({ issuer, subject, keys, signer, from, until, extensions }) {
  // A serial number: 16 random bytes, positive and not zero.
  const serial = randomBytes(16)
  serial[0] = (serial[0] & 0x7f) | 0x40
  const toSign = sequence(
    tagged(0, integer(Buffer.from([2]))), // version 3
    integer(serial),
    ECDSA_WITH_SHA256,
    commonName(issuer),
    sequence(time(from), time(until)),
    commonName(subject),
    keys.info,
    tagged(
      3,
      sequence(
        extension('2.5.29.14', octets(keys.id)), // subjectKeyIdentifier
        extension('2.5.29.35', sequence(taggedPlain(0, signer.id))), // authorityKeyIdentifier
        ...extensions,
      ),
    ),
  )
  const signature = sign('sha256', toSign, signer.privateKey)
  const lines = sequence(toSign, ECDSA_WITH_SHA256, bits(signature)).toString('base64').match(/.{1,64}/g)
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/**
 * Makes a certificate authority: `{ certificate, key, issue }`, in PEM.
 *
 * `issue({ names, addresses, from, until })` gives `{ certificate, key }` for a server of these host names and IP addresses. It holds from
 * an hour ago until a day from now; other times make one that has expired or does not hold yet.
 */
export function makeAuthority({ name = 'vecrank test authority' } = {}) {
  const signer = makeKeys()
  const hold = { from: new Date(Date.now() - HOUR), until: new Date(Date.now() + 24 * HOUR) }
  const certificate = certify({
    ...hold,
    issuer: name,
    subject: name,
    keys: signer,
    signer,
    extensions: [
      extension('2.5.29.19', sequence(isTrue), true), // basicConstraints: an authority
      extension('2.5.29.15', bits(Buffer.from([0b00000110]), 1), true), // keyUsage: signs certificates and their revocation
    ],
  })
  function issue({ names = [], addresses = [], ...times } = {}) {
    const keys = makeKeys()
    const alternatives = [
      ...names.map((host) => taggedPlain(2, Buffer.from(host))),
      ...addresses.map((address) => taggedPlain(7, addressBytes(address))),
    ]
    const issued = certify({
      ...hold,
      ...times,
      issuer: name,
      subject: names[0] ?? addresses[0] ?? 'nobody',
      keys,
      signer,
      extensions: [
        extension('2.5.29.19', sequence(), true), // basicConstraints: no authority
        extension('2.5.29.15', bits(Buffer.from([0b10000000]), 7), true), // keyUsage: signs handshakes
        extension('2.5.29.37', sequence(SERVER_AUTHENTICATION)), // extKeyUsage
        extension('2.5.29.17', sequence(...alternatives)), // subjectAltName
      ],
    })
    return { certificate: issued, key: keys.pem }
  }
  return { certificate, key: signer.pem, issue }
}
