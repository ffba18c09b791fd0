// For those who find types beside a file, and not by package.json.
export * from './types/transformers'
