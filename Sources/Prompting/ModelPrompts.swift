import Checkpoint
import SafeFiles
import Tokenization

/// The tokenizer and chat template from a model's files.
package struct ModelPrompts: Sendable {
  package let tokenizer: Tokenizer
  package let template: ChatTemplate
  /// Variables that chat templates expect: `bos_token`, `eos_token`.
  package let specialTokens: [String: String]

  /// - Throws: an error that names the file and what is missing or not supported.
  package init(_ files: ModelFiles) throws {
    tokenizer = try Self.tokenizer(files)
    template = try Self.template(files)
    var special: [String: String] = [:]
    special["bos_token"] = files.bosToken
    special["eos_token"] = files.eosToken
    specialTokens = special
  }

  /// A user's message in the model's chat template, up to the reply.
  ///
  /// - Throws: an error that names the file and what is missing or not supported, or `ModelTemplateError` if the
  ///   template fails or loses the message.
  package static func prompt(_ message: String, for files: ModelFiles) throws -> String {
    var special: [String: String] = [:]
    special["bos_token"] = files.bosToken
    special["eos_token"] = files.eosToken
    let template = try template(files)
    do {
      return try ChatTurns(template, specialTokens: special, system: nil).prompt(message)
    } catch {
      throw ModelTemplateError(model: files.path, PromptError.turns(error))
    }
  }

  /// Loads only the chat template.
  ///
  /// - Throws: an error that names the file and what is missing or not supported.
  package static func template(_ files: ModelFiles) throws -> ChatTemplate {
    guard let source = files.chatTemplate else {
      throw FileError(
        .missing, file: files.path, field: "chat_template", problem: "the model has no chat template",
        remedy: "use an instruction-tuned model, or add chat_template.jinja to its folder")
    }
    do {
      return try ChatTemplate(source: source)
    } catch {
      throw ModelTemplateError(model: files.path, error)
    }
  }

  /// Loads only the tokenizer.
  ///
  /// - Throws: an error that names the file and what is missing or not supported.
  package static func tokenizer(_ files: ModelFiles) throws -> Tokenizer {
    switch files.tokenizer {
    case .json(let data): return try Tokenizer(json: data, file: "\(files.path)/tokenizer.json")
    case .gguf(let metadata):
      guard metadata.model == "gpt2" else {
        throw FileError(
          .unsupported, file: files.path, field: "tokenizer.ggml.model",
          problem: "'\(metadata.model)' is not a byte-level BPE tokenizer",
          remedy: "use a model whose tokenizer is 'gpt2', such as Llama 3, Qwen2 or SmolLM2")
      }
      return try Tokenizer(
        BPESpecification(
          tokens: metadata.tokens, merges: metadata.merges, tokenTypes: metadata.tokenTypes,
          preTokenizer: metadata.preTokenizer ?? "default", beginningOfSequence: metadata.bos,
          endOfSequence: metadata.eos, unknown: metadata.unknown, padding: metadata.padding,
          addsBeginningOfSequence: metadata.addBOS), file: files.path)
    case nil:
      throw FileError(
        .missing, file: files.path, field: "tokenizer.json", problem: "the model has no tokenizer",
        remedy: "put the model's tokenizer.json into the folder")
    }
  }
}
