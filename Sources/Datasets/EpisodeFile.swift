import Foundation
import SafeFiles

/// JSONL files of episodes: UTF-8, one JSON object per line; blank lines are allowed.
package enum EpisodeFile {
  /// The path that means standard input, which is read to its end.
  package static let standardInput = "-"

  /// Reads all episodes of a file, in file order.
  ///
  /// - Parameters:
  ///   - path: the file, or ``standardInput``.
  ///   - schema: what every episode must contain.
  /// - Throws: `EpisodeFileError` for the first error.
  package static func read(
    _ path: String, schema: EpisodeSchema = EpisodeSchema()
  ) throws(EpisodeFileError) -> [Episode] {
    var episodes: [Episode] = []
    try forEach(in: path, schema: schema) { episodes.append($0) }
    return episodes
  }

  /// Reads all episodes of a file into a table, which takes much less memory than an array.
  ///
  /// - Parameters: as for `read(_:schema:)`; `onProgress` is called now and then with the bytes read so far and
  ///   those of the file, if it is a regular one.
  /// - Throws: `EpisodeFileError` for the first error.
  package static func table(
    _ path: String, schema: EpisodeSchema = EpisodeSchema(), onProgress: (Int, Int) -> Void = { _, _ in }
  ) throws(EpisodeFileError) -> EpisodeTable {
    var episodes = EpisodeTable(path: path)
    try forEach(in: path, schema: schema, onProgress: onProgress) { episodes.append($0) }
    return episodes
  }

  /// Reads a file line by line and passes each episode to `body`. Works for files larger than memory: only the
  /// ids are kept, to detect duplicates. Lines may have up to `EpisodeLines.longestLine` bytes.
  ///
  /// - Parameters: as for `table(_:schema:onProgress:)`; `body` is called in line order.
  /// - Throws: `EpisodeFileError` for the first error, after `body` has been called with the episodes before
  ///   it; at the end, if the file has been written to meanwhile.
  package static func forEach(
    in path: String, schema: EpisodeSchema = EpisodeSchema(), onProgress: (Int, Int) -> Void = { _, _ in },
    _ body: (Episode) -> Void
  ) throws(EpisodeFileError) {
    try visit(path, schema, onProgress, body) { (mistake) throws(EpisodeFileError) in throw mistake }
  }

  /// The errors in a file: the first error on each invalid line, or the reason why the file cannot be read.
  ///
  /// - Parameters: as for `read(_:schema:)`; `limit` is the maximum number of errors.
  package static func mistakes(
    in path: String, schema: EpisodeSchema = EpisodeSchema(), limit: Int = .max
  ) -> [EpisodeFileError] {
    var mistakes: [EpisodeFileError] = []
    do throws(EpisodeFileError) {
      try visit(path, schema, { _, _ in }) { _ in
      } onMistake: { (mistake) throws(EpisodeFileError) in
        if mistakes.count == limit - 1 { throw mistake }
        mistakes.append(mistake)
      }
    } catch {
      mistakes.append(error)
    }
    return mistakes
  }

  /// Passes each line's episode to `body` or its error to `onMistake`, and stops at the first error that
  /// `onMistake` throws.
  private static func visit(
    _ path: String, _ schema: EpisodeSchema, _ onProgress: (Int, Int) -> Void, _ body: (Episode) -> Void,
    onMistake: (EpisodeFileError) throws(EpisodeFileError) -> Void
  ) throws(EpisodeFileError) {
    let lines = try EpisodeLines(path)
    do throws(EpisodeFileError) {
      try visit(lines, EpisodeDecoder(path: path, schema: schema), onProgress, body, onMistake: onMistake)
    } catch {
      // What seems wrong with a line may be half of another content.
      try lines.checkUnchanged()
      throw error
    }
    try lines.checkUnchanged()
  }

  private static func visit(
    _ lines: EpisodeLines, _ decoder: EpisodeDecoder, _ onProgress: (Int, Int) -> Void,
    _ body: (Episode) -> Void, onMistake: (EpisodeFileError) throws(EpisodeFileError) -> Void
  ) throws(EpisodeFileError) {
    let path = decoder.path
    var firstLines: [String: Int] = [:]
    var holdsLines = false
    var reported = 0
    while let line = try lines.next() {
      guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { continue }
      holdsLines = true
      let number = lines.number
      if let progress = lines.progress, progress.done - reported >= 1 << 20 {
        reported = progress.done
        onProgress(progress.done, progress.all)
      }
      do throws(EpisodeFileError) {
        let episode = try decoder.decode(line, number: number)
        if let first = firstLines[episode.id] {
          throw EpisodeFileError(
            path: path, line: number, field: "id", problem: .duplicateID(episode.id, firstLine: first))
        }
        firstLines[episode.id] = number
        body(episode)
      } catch {
        // What is wrong with the whole file is said once.
        if String(validating: line, as: UTF8.self) == nil {
          throw EpisodeFileError(
            path: path, line: number, problem: .encoding("not UTF-8 but perhaps Latin-1"))
        }
        if case .notJSON = error.problem, mayContinue(line), let next = try lines.peek(),
          next != UInt8(ascii: "{")
        {
          throw EpisodeFileError(path: path, line: number, problem: .severalLines)
        }
        try onMistake(error)
      }
    }
    if !holdsLines { throw EpisodeFileError(path: path, problem: .empty) }
  }

  /// Whether a line that is not JSON may begin an object that continues on the next one, as in indented JSON.
  private static func mayContinue(_ line: UnsafeRawBufferPointer) -> Bool {
    guard let start = line.first(where: { ![0x20, 0x09, 0x0D].contains($0) }),
      start == UInt8(ascii: "{") || start == UInt8(ascii: "["),
      let last = line.last(where: { ![0x20, 0x09, 0x0D].contains($0) })
    else { return false }
    return [UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ",")].contains(last)
  }

  /// Writes episodes, one per line, with keys sorted by their UTF-8 bytes and unescaped slashes, so that
  /// equal episodes give equal bytes. The file is written atomically.
  ///
  /// - Throws: `FileError` if it cannot be written.
  package static func write(_ episodes: some Sequence<Episode>, to path: String) throws {
    try AtomicFile.write(to: URL(fileURLWithPath: path)) { writer in
      var buffer: [UInt8] = []
      for episode in episodes {
        EpisodeEncoder.append(episode, to: &buffer)
        if buffer.count >= 1 << 20 {
          try buffer.withUnsafeBytes { try writer.write($0) }
          buffer.removeAll(keepingCapacity: true)
        }
      }
      try buffer.withUnsafeBytes { try writer.write($0) }
    }
  }
}
