/** The folder that holds the model's files: pass it to `new Reranker`. */
export declare const path: string

/** The path of every file of the model. */
export declare const files: string[]
