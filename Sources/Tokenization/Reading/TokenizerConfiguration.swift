import Foundation
import StrictJSON

/// The special tokens and chat template from the `tokenizer_config.json` of a Hugging Face folder.
package struct TokenizerConfiguration: Sendable, Equatable {
  /// `bos_token`.
  package var beginningOfSequence: String?
  /// `eos_token`.
  package var endOfSequence: String?
  /// `pad_token`.
  package var padding: String?
  /// `unk_token`.
  package var unknown: String?
  /// `chat_template`; if there are several, the one named `default`. A `chat_template.jinja` next to the file
  /// takes precedence.
  package var chatTemplate: String?
  /// The file name in error messages.
  package var file: String

  /// Decodes the file's contents. Members that are missing or null stay `nil`.
  ///
  /// - Throws: `TokenizerError` if the text is not JSON or a member has the wrong type.
  package init(json: Data, file: String = "tokenizer_config.json") throws(TokenizerError) {
    let root = try JSONParser.parse(json, file: file)
    guard case .object = root else {
      throw .invalid(file: file, field: "(whole file)", reason: "is \(root.kind), not an object")
    }
    func token(_ field: String) throws(TokenizerError) -> String? {
      guard let node = root[field] else { return nil }
      guard let content = node.string ?? node["content"]?.string else {
        throw .invalid(
          file: file, field: field, reason: "is \(node.kind), neither a string nor an object with 'content'")
      }
      return content
    }
    beginningOfSequence = try token("bos_token")
    endOfSequence = try token("eos_token")
    padding = try token("pad_token")
    unknown = try token("unk_token")
    if let node = root["chat_template"] {
      let named = node.array?.first { $0["name"]?.string == "default" }?["template"]
      guard let template = node.string ?? named?.string else {
        throw .invalid(
          file: file, field: "chat_template",
          reason: "is neither a string nor a list with one named 'default'")
      }
      chatTemplate = template
    }
    self.file = file
  }

  /// The special tokens by the names that chat templates use: `bos_token`, `eos_token`, `pad_token`,
  /// `unk_token`.
  package var specialTokens: [String: String] {
    var tokens: [String: String] = [:]
    tokens["bos_token"] = beginningOfSequence
    tokens["eos_token"] = endOfSequence
    tokens["pad_token"] = padding
    tokens["unk_token"] = unknown
    return tokens
  }
}
