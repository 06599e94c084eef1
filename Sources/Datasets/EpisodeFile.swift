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
  ///   those of the file.
  /// - Throws: `EpisodeFileError` for the first error.
  package static func table(
    _ path: String, schema: EpisodeSchema = EpisodeSchema(), onProgress: (Int, Int) -> Void = { _, _ in }
  ) throws(EpisodeFileError) -> EpisodeTable {
    var episodes = EpisodeTable(path: path)
    try forEach(in: path, schema: schema, onProgress: onProgress) { episodes.append($0) }
    return episodes
  }

  /// Reads a file line by line and passes each episode to `body`. Works for files larger than memory: the
  /// file is memory-mapped, and only the ids are kept, to detect duplicates.
  ///
  /// - Parameters: as for `table(_:schema:onProgress:)`; `body` is called in line order.
  /// - Throws: `EpisodeFileError` for the first error, after `body` has been called with the episodes before
  ///   it.
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
    let file = try Contents(path)
    let decoder = EpisodeDecoder(path: path, schema: schema)
    var firstLines: [String: Int] = [:]
    var holdsLines = false
    let failure = file.withBytes { (bytes: UnsafeRawBufferPointer) -> EpisodeFileError? in
      var (reported, forgotten) = (0, 0)
      do throws(EpisodeFileError) {
        if isUTF16(bytes) { throw EpisodeFileError(path: path, problem: .encoding("UTF-16")) }
        try forEachLine(of: bytes) { (line, rest, number) throws(EpisodeFileError) in
          holdsLines = true
          let done = bytes.count - rest.count
          if done - reported >= 1 << 20 {
            reported = done
            onProgress(done, bytes.count)
          }
          if done - forgotten >= 64 << 20 {
            forgotten = done
            file.forgetPages()
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
            if case .notJSON = error.problem, isBeginning(line, before: rest) {
              throw EpisodeFileError(path: path, line: number, problem: .severalLines)
            }
            try onMistake(error)
          }
        }
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
    if !holdsLines { throw EpisodeFileError(path: path, problem: .empty) }
  }

  private static func isUTF16(_ bytes: UnsafeRawBufferPointer) -> Bool {
    // Without a mark, the first character of JSON is ASCII.
    bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.count > 1 && (bytes[0] == 0) != (bytes[1] == 0)
  }

  /// Whether a line that is not JSON begins an object that goes on in the next one, as in indented JSON.
  private static func isBeginning(_ line: UnsafeRawBufferPointer, before rest: UnsafeRawBufferPointer) -> Bool
  {
    func first(_ bytes: UnsafeRawBufferPointer) -> UInt8? {
      bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    }
    guard let start = first(line), start == UInt8(ascii: "{") || start == UInt8(ascii: "["),
      let next = first(rest), next != UInt8(ascii: "{"),
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

  private static func forEachLine(
    of bytes: UnsafeRawBufferPointer,
    _ body: (_ line: UnsafeRawBufferPointer, _ rest: UnsafeRawBufferPointer, Int) throws(EpisodeFileError) ->
      Void
  ) throws(EpisodeFileError) {
    let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
    var start = hasMark ? 3 : 0
    var number = 0
    while start < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
      let length = lengthOfLine(rest)
      number += 1
      let line = UnsafeRawBufferPointer(rebasing: rest[..<length])
      if line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) {
        try body(line, UnsafeRawBufferPointer(rebasing: rest[min(length + 1, rest.count)...]), number)
      }
      start += length + 1
    }
  }

  private static func lengthOfLine(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress, let end = memchr(base, 0x0A, bytes.count) else { return bytes.count }
    return UnsafeRawPointer(end) - base
  }
}

extension EpisodeFile {
  /// The bytes of a file, mapped if it is a regular one.
  private enum Contents {
    case mapped(MappedFile)
    case read(Data)

    init(_ path: String) throws(EpisodeFileError) {
      if path == standardInput {
        // Not /dev/stdin: opening a pipe again would wait for another writer.
        do { self = .read(try FileHandle.standardInput.readToEnd() ?? Data()) } catch {
          throw EpisodeFileError(path: path, problem: .unreadable(Self.reason(error)))
        }
        return
      }
      var status = stat()
      guard stat(path, &status) == 0 else {
        let code = errno
        throw EpisodeFileError(
          path: path, problem: code == ENOENT ? .missing : .unreadable(String(cString: strerror(code))))
      }
      if status.st_mode & S_IFMT == S_IFDIR {
        throw EpisodeFileError(path: path, problem: .folder)
      }
      let url = URL(fileURLWithPath: path)
      do {
        self =
          status.st_mode & S_IFMT == S_IFREG
          ? .mapped(try MappedFile(url)) : .read(try Data(contentsOf: url))
      } catch {
        throw EpisodeFileError(path: path, problem: .unreadable(Self.reason(error)))
      }
    }

    func withBytes<T>(_ body: (UnsafeRawBufferPointer) -> T) -> T {
      switch self {
      case .mapped(let file): file.withBytes(body)
      case .read(let data): data.withUnsafeBytes(body)
      }
    }

    func forgetPages() {
      if case .mapped(let file) = self { file.forgetPages() }
    }

    /// The system's message for an error, without paths and codes.
    private static func reason(_ error: any Error) -> String {
      if let error = error as? FileError { return error.problem }
      let error = error as NSError
      let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
      if cause.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(cause.code))) }
      return error.localizedDescription
    }
  }
}
