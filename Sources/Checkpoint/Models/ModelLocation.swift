import Foundation
import SafeFiles

/// Where the model lies that a person or a workflow names.
///
/// | what is written | what is opened |
/// |---|---|
/// | the name of a fetched model, `smollm2-135m` | `MODELS/smollm2-135m/model.gguf` |
/// | a file or folder with a `/` in its path or `.gguf` at its end | that path |
/// | another word | `MODELS/word` where that exists, else the file or folder `word` |
package struct ModelLocation: Sendable, Equatable {
  /// What was written.
  package let name: String
  /// The GGUF file, or the Hugging Face folder, as a path that can be opened.
  package let path: String

  /// The folder of fetched models where none is given: `models` in the current folder.
  package static let defaultModels = "models"

  /// Finds the model called `name`.
  ///
  /// - Parameters:
  ///   - name: a fetched model's name, a GGUF file, or a Hugging Face folder.
  ///   - models: the folder of fetched models.
  ///   - base: the folder that a relative path in `name` counts from; `nil` for the current folder.
  /// - Throws: `FileError` where there is nothing at the place, or where a fetched model has another
  ///   content than the pinned one.
  package init(_ name: String, models: String = Self.defaultModels, base: String? = nil) throws {
    self.name = name
    let fetcher = ModelFetcher(models: URL(fileURLWithPath: models, isDirectory: true))
    let direct = Self.join(name, base: base)
    let isPath = name.contains("/") || name.hasSuffix(".gguf")
    if !isPath, let pinned = PinnedModel.all.first(where: { $0.name == name }) {
      let file = "\(models)/\(name)/\(fetcher.file(of: pinned).lastPathComponent)"
      if FileManager.default.fileExists(atPath: file) {
        try Self.check(pinned, at: file)
        path = file
        return
      }
      guard FileManager.default.fileExists(atPath: direct) else {
        throw FileError(
          .missing, file: file, problem: "the model \(name) has not been fetched",
          remedy: "run 'contexture model fetch \(name)', or say with --models where it is")
      }
    }
    let within = "\(models)/\(name)"
    if !isPath, !name.isEmpty, FileManager.default.fileExists(atPath: within) {
      path = within
    } else if !name.isEmpty, FileManager.default.fileExists(atPath: direct) {
      path = direct
    } else {
      let known = PinnedModel.all.map(\.name).joined(separator: ", ")
      throw FileError(
        .missing, file: name.isEmpty ? "model" : direct, problem: "no such model, file or folder",
        remedy: "give a GGUF file, the folder of a Hugging Face model, or a name to fetch (\(known))")
    }
  }

  private static func join(_ name: String, base: String?) -> String {
    guard let base, !base.isEmpty, !name.hasPrefix("/") else { return name }
    return base.hasSuffix("/") ? base + name : "\(base)/\(name)"
  }

  /// Compares a fetched model's file, found again by its path, with what was fetched. Other models and other files
  /// are not looked at.
  ///
  /// - Throws: `FileError` where the content is another.
  package static func verify(_ name: String, at file: String) throws {
    guard let pinned = PinnedModel.all.first(where: { $0.name == name }),
      file.hasSuffix("/\(name)/model.gguf")
    else { return }
    try check(pinned, at: file)
  }

  /// The length first, which names an interrupted copy; then the whole content, a tenth of a second.
  private static func check(_ pinned: PinnedModel, at file: String) throws {
    let remedy = "run 'contexture model fetch \(pinned.name)', which replaces it"
    let attributes = try? FileManager.default.attributesOfItem(atPath: file)
    if let bytes = (attributes?[.size] as? NSNumber)?.intValue, bytes != pinned.modelBytes {
      throw FileError(
        .checksum, file: file, problem: "is \(bytes) bytes long, expected \(pinned.modelBytes)",
        remedy: remedy)
    }
    guard try FileChecksum.sha256(of: URL(fileURLWithPath: file)) == pinned.modelSHA256 else {
      throw FileError(
        .checksum, file: file, problem: "has another content than the model \(pinned.name)", remedy: remedy)
    }
  }
}
