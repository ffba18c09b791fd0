export * from 'vecrank/transformers'
