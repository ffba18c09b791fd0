// A module of its own: a bundle that leaves vecrank outside keeps this line as an import, where it could not keep a `require`.
export * from 'vecrank/transformers'
