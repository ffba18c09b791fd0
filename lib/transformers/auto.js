'use strict'

/** Classes that find out what a model is: `AutoTokenizer`, and `AutoModel` with those for a head. */

const { PreTrainedModel } = require('./model.js')
const { headsOf, loadModel, loadTokenizer } = require('./loading.js')

class AutoTokenizer {
  static async from_pretrained(name, options) {
    return loadTokenizer(name, options)
  }
}

/** The network alone; with a head, where its graph has nothing else to give. */
class AutoModel {
  static async from_pretrained(name, options) {
    return loadModel(name, options, headsOf)
  }
}

class AutoModelForSequenceClassification {
  static async from_pretrained(name, options) {
    return loadModel(name, options, ['classifier'])
  }
}

class AutoModelForTokenClassification {
  static async from_pretrained(name, options) {
    return loadModel(name, options, ['token-classifier'])
  }
}

class AutoModelForMaskedLM {
  static async from_pretrained(name, options) {
    return loadModel(name, options, ['masked-lm'])
  }
}

// Of a class with a name, what stands on top is known. Here and not there, as it needs what loads all of them.
PreTrainedModel.from_pretrained = async function (name, options) {
  return loadModel(name, options, this.head === undefined ? headsOf : [this.head], this)
}

module.exports = { AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer }
