import Foundation
import SafeFiles
import StrictJSON

/// The tokenizer and chat template of a Hugging Face folder.
///
/// The template comes from `chat_template.jinja` or, if that is missing, from `tokenizer_config.json`: a
/// string, or a list of named templates, of which `default` is used.
struct HuggingFaceTokenizerSettings {
  let tokenizer: Data?
  let chatTemplate: String?
  let bosToken: String?
  let eosToken: String?

  init(_ folder: URL) throws {
    tokenizer = try FileContents.readIfPresent(folder.appendingPathComponent("tokenizer.json"))
    let path = folder.appendingPathComponent("tokenizer_config.json").path
    let settings = try FileContents.readIfPresent(URL(fileURLWithPath: path)).map { data in
      try data.withUnsafeBytes { try JSONParser.parse($0, path: path) }
    }
    bosToken = Self.token(settings?["bos_token"])
    eosToken = Self.token(settings?["eos_token"])
    let jinja = folder.appendingPathComponent("chat_template.jinja")
    if let data = try FileContents.readIfPresent(jinja) {
      guard let text = String(validating: data, as: UTF8.self) else {
        throw FileError(
          .malformed, file: jinja.path, problem: "is not UTF-8", remedy: "fetch the file again")
      }
      chatTemplate = text
    } else {
      chatTemplate = Self.template(settings?["chat_template"])
    }
  }

  /// A token is a string, or an object with the text in `content`.
  private static func token(_ json: JSONValue?) -> String? { json?.string ?? json?["content"]?.string }

  private static func template(_ json: JSONValue?) -> String? {
    if let text = json?.string { return text }
    let named = json?.array ?? []
    return (named.first { $0["name"]?.string == "default" } ?? named.first)?["template"]?.string
  }
}
