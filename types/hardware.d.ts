/** What the machine has. */

import type { Device } from './model'

/** What this machine has to run models with. */
export interface Hardware {
  readonly cpu: {
    readonly model: string
    /** Logical cores of the machine. */
    readonly cores: number
    /** Those that this process may use, a container's quota counted: what `threads` is by default. */
    readonly allowed: number
    /** What of the processor's instructions matters to the encoder, such as `'avx2'`. */
    readonly features: readonly string[]
    /** The set that the encoder uses, as in `ModelInfo`. */
    readonly instructions: string
  }
  /** Bytes: what the machine has, and what this process may use; `null` where it may use all. */
  readonly memory: { readonly total: number; readonly limit: number | null }
  /** GPUs of NVIDIA, in the order of `nvidia-smi`. Those of others are not listed: their devices below say whether they work. */
  readonly gpus: readonly {
    readonly name: string
    /** Version of the driver. */
    readonly driver: string
    /** The newest CUDA that the driver runs, such as `'13.0'`. */
    readonly cuda: string
    /** Bytes in all. */
    readonly memory: number
    /** Bytes that are free now. */
    readonly free: number
  }[]
  /** Every device that can be named. */
  readonly providers: readonly {
    readonly device: Exclude<Device, 'auto' | 'gpu'>
    /** ONNX Runtime's execution provider; the device's own name where its plugin was not found. */
    readonly provider: string
    /** Whether a small graph gave the right numbers on it. */
    readonly available: boolean
    /** What is missing and what to do; `null` where it is available. */
    readonly reason: string | null
    /** The library that has it, where there is one. */
    readonly library: string | null
    /** Version of that library; `null` where it is not known. */
    readonly version: string | null
  }[]
  /** The one ONNX Runtime of this process. */
  readonly onnxruntime: {
    /** Of the library that is open; where none could be opened, of the one that vecrank was made with. */
    readonly version: string
    /** The library; `null` where none was found. */
    readonly path: string | null
    /** Its SHA-256; `null` where it cannot be read. */
    readonly sha256: string | null
    /** Where it was found, in words. */
    readonly place: string | null
    /** Others that were found and not taken, and why. */
    readonly passedOver: readonly string[]
    /** Why it cannot be opened; `null` where it is open. */
    readonly error: string | null
  }
}

/**
 * Looks at the machine and tries every device with a small graph: this opens ONNX Runtime and each device's libraries, and takes as long as they
 * need to start. A device that does not work is no error. `npx vecrank doctor` prints it, and more.
 * @throws {VecrankError} ERR_RUNTIME where the addon cannot be loaded
 */
export declare function hardware(): Promise<Hardware>
