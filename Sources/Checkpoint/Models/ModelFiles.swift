import Foundation
import SafeFiles

/// A model on disk: its weights and the source data of its tokenizer and chat template.
package struct ModelFiles: Sendable {
  /// The data from which a tokenizer is built.
  package enum TokenizerSource: Sendable, Equatable {
    /// The contents of a `tokenizer.json`.
    case json(Data)
    /// The keys of a GGUF file.
    case gguf(GGUFTokenizerMetadata)
  }

  /// The file or folder.
  package let path: String
  /// The weights, checked against the configuration.
  package let weights: any WeightSource
  /// The data of the tokenizer; `nil` if the folder does not have one.
  package let tokenizer: TokenizerSource?
  /// The chat template; `nil` if there is none.
  package let chatTemplate: String?
  /// The text of the beginning-of-sequence token, if known.
  package let bosToken: String?
  /// The text of the token that ends a turn, if known.
  package let eosToken: String?
  /// A readable table of the model's contents.
  package let description: String

  /// Opens a GGUF file, a Hugging Face folder (one with `config.json`), or a folder with one GGUF file.
  ///
  /// Nothing large is read: the weights stay in the mapped files.
  ///
  /// - Throws: `FileError` if the path is none of these, or the model is damaged or not supported.
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
  /// The path of a model, by format.
  enum Place {
    /// A GGUF file.
    case gguf(URL)
    /// A Hugging Face folder.
    case huggingFace(URL)

    /// Detects a GGUF file, a Hugging Face folder, or a folder with one GGUF file.
    ///
    /// - Throws: `FileError` if the path is none of these.
    init(_ path: String) throws {
      let url = URL(fileURLWithPath: path)
      guard let kind = try FileKind.of(url.path) else {
        throw FileError(
          .missing, file: path, problem: "no such file or folder",
          remedy: "check the path, or fetch the model first")
      }
      guard kind == .folder else {
        self = .gguf(url)
        return
      }
      if try FileKind.of(url.appendingPathComponent("config.json").path) != nil {
        self = .huggingFace(url)
        return
      }
      let names: [String]
      do { names = try FileManager.default.contentsOfDirectory(atPath: url.path) } catch {
        throw SystemError.describe(error, path: url.path, action: "list the folder")
      }
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
