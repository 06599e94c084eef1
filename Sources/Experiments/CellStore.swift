import Foundation
import InputErrors
import SafeFiles

/// Results in a folder, one file each, so that an interrupted experiment continues with what is missing.
package struct CellStore: Sendable {
  private let folder: URL

  package init(_ path: String) { folder = URL(fileURLWithPath: path) }

  /// The path.
  package var path: String { folder.relativePath }

  /// The SHA-256 of a key in hexadecimal; a result's file is named by its beginning.
  package static func checksum(_ key: String) -> String { FileChecksum.sha256(of: Data(key.utf8)) }

  private func url(_ key: String) -> URL {
    folder.appendingPathComponent(String(Self.checksum(key).prefix(24)) + ".json")
  }

  /// The result with a key; `nil` if there is none.
  ///
  /// - Throws: `FileError` if the file cannot be read; `Refusal` if it is not a result.
  package func result(_ key: String) throws -> CellResult? {
    let url = url(key)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    let found = try read(url)
    return found.key == key ? found : nil
  }

  /// The first result with one of several keys; `nil` if there is none.
  ///
  /// - Parameter tasks: those that it must have.
  /// - Throws: as ``result(_:)``.
  package func result(among keys: [String], tasks: [String]) throws -> CellResult? {
    for key in keys {
      guard let found = try result(key) else { continue }
      guard found.tasks.map(\.task) == tasks else { throw Self.unusable(url(key)) }
      return found
    }
    return nil
  }

  /// Writes a result.
  ///
  /// - Throws: `FileError`.
  package func write(_ result: CellResult) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    try AtomicFolder.make(folder)
    try AtomicFile.write(try encoder.encode(result), to: url(result.key))
  }

  /// All results, in the order of their names.
  ///
  /// - Throws: as ``result(_:)``.
  package func all() throws -> [CellResult] {
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    } catch {
      throw Refusal(path, "cannot be listed", "give the folder of results of an experiment")
    }
    return try names.filter { $0.hasSuffix(".json") }.sorted().map {
      try read(folder.appendingPathComponent($0))
    }
  }

  private func read(_ url: URL) throws -> CellResult {
    let data = try FileContents.read(url, limit: Self.largest)
    guard let result = try? JSONDecoder().decode(CellResult.self, from: data), result.isSound else {
      throw Self.unusable(url)
    }
    return result
  }

  /// In bytes; a result has one character for each test episode, and a line for each validation.
  private static let largest = 64 << 20

  private static func unusable(_ url: URL) -> Refusal {
    Refusal(url.relativePath, "is not a result of this version", "remove it, and measure again")
  }
}

extension CellResult {
  /// Whether these numbers, read from a file, are possible.
  fileprivate var isSound: Bool {
    // Sums of many stay far below the largest integer.
    let most = 1 << 40
    return (1...1_000_000_000).contains(episodes) && allRight.count == episodes
      && allRight.allSatisfy { $0 == "0" || $0 == "1" }
      && tasks.allSatisfy {
        (0...episodes).contains($0.gold) && (0...episodes).contains($0.chained)
          && $0.rightAfter.map { (0...1).contains($0) } ?? true
      }
      && [parameters, steps, tokens].allSatisfy { (0...most).contains($0) }
      && [seconds, evaluationSeconds].allSatisfy { $0.isFinite && $0 >= 0 }
      && course.allSatisfy {
        (0...most).contains($0.tokens) && (0...1).contains($0.accuracy) && $0.loss.isFinite
      }
  }
}
