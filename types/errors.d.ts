/** Errors. */

/** What went wrong, for programs. Codes keep their meaning between versions. */
export type ErrorCode =
  /** An argument of the wrong type or out of range (a `TypeError`). */
  | 'ERR_INVALID_ARG'
  /** No such folder or package; no such model or revision on the Hub. */
  | 'ERR_MODEL_NOT_FOUND'
  /** The model lacks a file that it needs or that was named; a lock file is missing or does not pin what was asked for. */
  | 'ERR_FILE_NOT_FOUND'
  /** The Hub refuses access: a token is missing or wrong, or the model's terms have not been accepted. */
  | 'ERR_UNAUTHORIZED'
  /** A file is not in the cache and the network may not be used. The message lists what is missing. */
  | 'ERR_OFFLINE'
  /** The Hub could not be reached, or its answers cannot be used, after bounded tries. */
  | 'ERR_DOWNLOAD'
  /** A file's bytes do not have the hash that they must have. */
  | 'ERR_CORRUPT'
  /** A file or folder cannot be read or written, or the disk is full. */
  | 'ERR_DISK'
  /** The model is well formed, and of a kind or with a value that this version does not serve. */
  | 'ERR_MODEL_UNSUPPORTED'
  /** A file of the model is damaged or contradicts another. */
  | 'ERR_MODEL_INVALID'
  /** The device that was named cannot be used, or cannot take the model. The message says what is missing and what to do. */
  | 'ERR_DEVICE'
  /** The addon or ONNX Runtime could not be loaded, or ONNX Runtime failed. */
  | 'ERR_RUNTIME'
  /** A text is longer than `maxInputChars`, or than `maxLength` with truncation `'error'`. */
  | 'ERR_TOO_LONG'
  /** The network gave a value that is not a number. */
  | 'ERR_NUMERIC'
  /** Too much work waits already. */
  | 'ERR_OVERLOADED'
  | 'ERR_TIMEOUT'
  /** The handle has been disposed of. */
  | 'ERR_DISPOSED'
  /** A fault of vecrank. */
  | 'ERR_INTERNAL'

/** Every failure but a wrong argument. `cause` holds what is underneath. */
export declare class VecrankError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown })
  readonly name: 'VecrankError'
  readonly code: ErrorCode
}
