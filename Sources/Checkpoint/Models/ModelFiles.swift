import Foundation
import SafeFiles

/// A model as it lies on the disk: its weights and the raw material of its tokenizer and chat template.
package struct ModelFiles: Sendable {
  /// What a tokenizer is made from.
  package enum TokenizerSource: Sendable, Equatable {
    /// The bytes of a `tokenizer.json`.
    case json(Data)
    /// The keys of a GGUF file.
    case gguf(GGUFTokenizerMetadata)
  }

  /// The file or folder.
  package let path: String
  /// The weights, checked against the configuration.
  package let weights: any WeightSource
  /// The tokenizer's raw material; `nil` where the folder has none.
  package let tokenizer: TokenizerSource?
  /// The chat template's text; `nil` where there is none.
  package let chatTemplate: String?
  /// The text of the token that starts a sequence, where it is known.
  package let bosToken: String?
  /// The text of the token that ends a turn, where it is known.
  package let eosToken: String?
  /// A table of what the model holds, for people.
  package let description: String

  /// Opens a GGUF file, a Hugging Face folder (it has `config.json`), or a folder with one GGUF file.
  ///
  /// Nothing large is read: weights stay in the mapped files. Throws `FileError` where the path holds
  /// none of these, or something in it is damaged or not supported.
  package static func open(_ path: String) throws -> ModelFiles {
    switch try Place(path) {
    case .gguf(let file): return try openGGUF(file)
    case .huggingFace(let folder): return try openHuggingFace(folder)
    }
  }

  private static func openGGUF(_ url: URL) throws -> ModelFiles {
    let file = try GGUFFile(url)
    let weights = try GGUFWeightSource(file)
    let tokenizer = try GGUFTokenizerMetadata(file)
    func token(_ id: Int?) -> String? { id.flatMap { tokenizer?.tokens[$0] } }
    return ModelFiles(
      path: url.path, weights: weights, tokenizer: tokenizer.map(TokenizerSource.gguf),
      chatTemplate: try file.string("tokenizer.chat_template"), bosToken: token(tokenizer?.bos),
      eosToken: token(tokenizer?.eos),
      description: weights.configuration.table + "\n" + file.description)
  }

  private static func openHuggingFace(_ folder: URL) throws -> ModelFiles {
    let weights = try HuggingFaceWeightSource(folder: folder)
    let settings = try HuggingFaceTokenizerSettings(folder)
    let files = weights.files.sorted { $0.key < $1.key }.map(\.value.description)
    return ModelFiles(
      path: folder.path, weights: weights, tokenizer: settings.tokenizer.map(TokenizerSource.json),
      chatTemplate: settings.chatTemplate, bosToken: settings.bosToken, eosToken: settings.eosToken,
      description: ([weights.configuration.table] + files).joined(separator: "\n"))
  }
}

extension ModelFiles {
  /// Where a model lies, by its form.
  enum Place {
    /// A GGUF file.
    case gguf(URL)
    /// A Hugging Face folder.
    case huggingFace(URL)

    /// Looks at a GGUF file, a Hugging Face folder, or a folder with one GGUF file; throws `FileError`
    /// where the path is none of these.
    init(_ path: String) throws {
      let url = URL(fileURLWithPath: path)
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
        throw FileError(
          .missing, file: path, problem: "no such file or folder",
          remedy: "check the path, or fetch the model first")
      }
      guard isFolder.boolValue else {
        self = .gguf(url)
        return
      }
      if FileManager.default.fileExists(atPath: url.appendingPathComponent("config.json").path) {
        self = .huggingFace(url)
        return
      }
      let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
      let models = names.filter { $0.hasSuffix(".gguf") && !$0.hasPrefix(".") }.sorted()
      guard let only = models.first, models.count == 1 else {
        throw FileError(
          .missing, file: path,
          problem: models.isEmpty
            ? "holds neither config.json nor a GGUF file"
            : "holds \(models.count) GGUF files: \(models.prefix(4).joined(separator: ", "))",
          remedy: "give a GGUF file or the folder of a Hugging Face model")
      }
      self = .gguf(url.appendingPathComponent(only))
    }
  }
}
