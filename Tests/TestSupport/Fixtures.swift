import Foundation

/// Files that tests read: golden values, with their provenance, under `Fixtures/`.
public enum Fixtures {
  /// The root of the package.
  public static let packageRoot = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// A path under `Fixtures/`.
  public static func url(_ path: String) -> URL {
    packageRoot.appendingPathComponent("Fixtures").appendingPathComponent(path)
  }

  /// The base model's GGUF file from `make model`; `nil` if it was not fetched.
  public static var baseModel: URL? {
    let file = packageRoot.appendingPathComponent("models/smollm2-135m/model.gguf")
    return FileManager.default.fileExists(atPath: file.path) ? file : nil
  }

  /// Creates an empty directory for `body` and removes it afterwards.
  public static func withTemporaryDirectory<T>(_ body: (URL) throws -> T) throws -> T {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("contexture-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url)
  }
}
