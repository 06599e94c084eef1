import Foundation
import SafeFiles

/// The path of a model that a user or a workflow names.
///
/// | name | path |
/// |---|---|
/// | a fetched model's name, such as `smollm2-135m` | `MODELS/smollm2-135m/model.gguf` |
/// | a path that contains `/` or ends with `.gguf` | that path |
/// | any other `word` | `MODELS/word` if it exists, otherwise the file or folder `word` |
package struct ModelLocation: Sendable, Equatable {
  /// The name as the user wrote it.
  package let name: String
  /// The GGUF file or Hugging Face folder, as a path that can be opened.
  package let path: String

  /// The default folder of fetched models: `models` in the current folder.
  package static let defaultModels = "models"

  /// Finds the model called `name`.
  ///
  /// - Parameters:
  ///   - name: a fetched model's name, a GGUF file, or a Hugging Face folder.
  ///   - models: the folder of fetched models.
  ///   - resolved: the path that `name` is in the file that names it; `nil` if it counts from the current folder.
  /// - Throws: `FileError` if the path does not exist, or a fetched model does not match its pinned checksum.
  package init(_ name: String, models: String = Self.defaultModels, resolved: String? = nil) throws {
    self.name = name
    let fetcher = ModelFetcher(models: URL(fileURLWithPath: models, isDirectory: true))
    let place = resolved ?? name
    // A path in a folder of somebody else cannot be examined; the model may still have been fetched here.
    var found: String?
    var unexamined: FileError?
    do throws(FileError) {
      if !name.isEmpty, try FileKind.of(place) != nil { found = place }
    } catch {
      unexamined = error
    }
    let isPath = name.contains("/") || name.hasSuffix(".gguf")
    if !isPath, let pinned = PinnedModel.all.first(where: { $0.name == name }) {
      let file = "\(models)/\(name)/\(fetcher.file(of: pinned).lastPathComponent)"
      if try FileKind.of(file) != nil {
        try Self.check(pinned, at: file)
        path = file
        return
      }
      guard found != nil else {
        throw unexamined
          ?? FileError(
            .missing, file: file, problem: "the model \(name) has not been fetched",
            remedy: "run 'contexture model fetch \(name)', or name the folder of fetched models")
      }
    }
    let within = "\(models)/\(name)"
    if !isPath, !name.isEmpty, try FileKind.of(within) != nil {
      path = within
    } else if let found {
      path = found
    } else if let unexamined {
      throw unexamined
    } else {
      let known = PinnedModel.all.map(\.name).joined(separator: ", ")
      var problem = "no such model, file or folder"
      if place != name, !name.isEmpty, FileManager.default.fileExists(atPath: name) {
        problem += " ('\(name)' is in the current folder, but a path in a file counts from the file's folder)"
      }
      throw FileError(
        .missing, file: name.isEmpty ? "model" : place, problem: problem,
        remedy: "give a GGUF file, the folder of a Hugging Face model, or a name to fetch (\(known))")
    }
  }

  /// If `file` is the fetched model `name`, checks that it still matches its pinned checksum. Other models
  /// and files are not checked.
  ///
  /// - Throws: `FileError` if it does not match.
  package static func verify(_ name: String, at file: String) throws {
    guard let pinned = PinnedModel.all.first(where: { $0.name == name }),
      file.hasSuffix("/\(name)/model.gguf")
    else { return }
    try check(pinned, at: file)
  }

  /// Checks the length first, to detect an interrupted copy, then the checksum, which takes a tenth of a
  /// second.
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
        .checksum, file: file, problem: "does not have the content of model \(pinned.name)",
        remedy: remedy)
    }
  }
}
