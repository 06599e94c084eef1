import Foundation

/// Files of episodes in JSONL: UTF-8, one JSON object a line, blank lines allowed.
public enum EpisodeFile {
  /// The path that stands for standard input, which is read to its end.
  public static let standardInput = "-"

  /// All episodes of a file, in its order.
  ///
  /// - Parameters:
  ///   - path: The file, or ``standardInput``.
  ///   - tasks: The tasks that every episode must have. Others may be there too; they are checked and kept.
  ///   - inputs: For each task, the inputs it reads, which every episode must have.
  ///   - answersOptional: Whether items may come without an answer, to be asked only.
  /// - Throws: `EpisodeFileError` at the first problem.
  public static func read(
    _ path: String, tasks: [String] = [], inputs: [String: [String]] = [:], answersOptional: Bool = false
  ) throws(EpisodeFileError) -> [Episode] {
    var episodes: [Episode] = []
    try forEach(in: path, tasks: tasks, inputs: inputs, answersOptional: answersOptional) {
      episodes.append($0)
    }
    return episodes
  }

  /// Reads a file line by line and hands over one episode at a time, so that a file larger than memory can
  /// be walked through: the file is mapped, and only the ids are kept (to find repeated ones).
  ///
  /// - Parameters: as for `read(_:tasks:inputs:)`; `body` is called in the order of the lines.
  /// - Throws: `EpisodeFileError` at the first problem; `body` has seen the episodes before it.
  public static func forEach(
    in path: String, tasks: [String] = [], inputs: [String: [String]] = [:], answersOptional: Bool = false,
    _ body: (Episode) -> Void
  ) throws(EpisodeFileError) {
    try visit(path, tasks, inputs, answersOptional: answersOptional, body) {
      (mistake) throws(EpisodeFileError) in throw mistake
    }
  }

  /// What is wrong in a file: the first problem of each line that has one, or that it cannot be read.
  ///
  /// - Parameters: as for `read(_:tasks:inputs:)`; `limit` is the most problems that are looked for.
  public static func mistakes(
    in path: String, tasks: [String] = [], inputs: [String: [String]] = [:], limit: Int = .max
  ) -> [EpisodeFileError] {
    var mistakes: [EpisodeFileError] = []
    do throws(EpisodeFileError) {
      try visit(path, tasks, inputs, answersOptional: false) { _ in
      } onMistake: { (mistake) throws(EpisodeFileError) in
        if mistakes.count == limit - 1 { throw mistake }
        mistakes.append(mistake)
      }
    } catch {
      mistakes.append(error)
    }
    return mistakes
  }

  /// Hands over each line's episode, or what is wrong with it; ends with what `onMistake` throws.
  private static func visit(
    _ path: String, _ tasks: [String], _ inputs: [String: [String]], answersOptional: Bool,
    _ body: (Episode) -> Void, onMistake: (EpisodeFileError) throws(EpisodeFileError) -> Void
  ) throws(EpisodeFileError) {
    let data = try load(path)
    let decoder = EpisodeDecoder(
      path: path, tasks: tasks, inputs: inputs, answersOptional: answersOptional)
    var firstLines: [String: Int] = [:]
    var holdsLines = false
    let failure = data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> EpisodeFileError? in
      do throws(EpisodeFileError) {
        try forEachLine(of: bytes) { (line, number) throws(EpisodeFileError) in
          holdsLines = true
          do throws(EpisodeFileError) {
            let episode = try decoder.decode(line, number: number)
            if let first = firstLines[episode.id] {
              throw EpisodeFileError(
                path: path, line: number, field: "id", problem: .duplicateID(episode.id, firstLine: first))
            }
            firstLines[episode.id] = number
            body(episode)
          } catch {
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

  /// Writes episodes, one a line, keys sorted by their UTF-8 bytes and slashes unescaped: equal episodes give
  /// equal bytes. The file appears complete or not at all.
  ///
  /// - Throws: `EpisodeFileError` if it cannot be written.
  public static func write(_ episodes: some Sequence<Episode>, to path: String) throws(EpisodeFileError) {
    do {
      try AtomicWrite.write(to: path) { handle in
        var buffer: [UInt8] = []
        for episode in episodes {
          EpisodeEncoder.append(episode, to: &buffer)
          if buffer.count >= 1 << 20 {
            try handle.write(contentsOf: buffer)
            buffer.removeAll(keepingCapacity: true)
          }
        }
        try handle.write(contentsOf: buffer)
      }
    } catch {
      throw EpisodeFileError(path: path, problem: .unwritable(reason(error)))
    }
  }

  private static func load(_ path: String) throws(EpisodeFileError) -> Data {
    if path == standardInput {
      // Not /dev/stdin: to open a pipe again waits for another writer.
      do { return try FileHandle.standardInput.readToEnd() ?? Data() } catch {
        throw EpisodeFileError(path: path, problem: .unreadable(reason(error)))
      }
    }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw EpisodeFileError(path: path, problem: .missing)
    }
    if isFolder.boolValue { throw EpisodeFileError(path: path, problem: .unreadable("it is a folder")) }
    do {
      return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
      throw EpisodeFileError(path: path, problem: .unreadable(reason(error)))
    }
  }

  private static func forEachLine(
    of bytes: UnsafeRawBufferPointer,
    _ body: (UnsafeRawBufferPointer, Int) throws(EpisodeFileError) -> Void
  ) throws(EpisodeFileError) {
    let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
    var start = hasMark ? 3 : 0
    var number = 0
    while start < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
      let length = lengthOfLine(rest)
      number += 1
      let line = UnsafeRawBufferPointer(rebasing: rest[..<length])
      if line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) { try body(line, number) }
      start += length + 1
    }
  }

  private static func lengthOfLine(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress, let end = memchr(base, 0x0A, bytes.count) else { return bytes.count }
    return UnsafeRawPointer(end) - base
  }

  /// The system's words for an error, without the paths and codes around them.
  private static func reason(_ error: any Error) -> String {
    let error = error as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
    if cause.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(cause.code))) }
    return error.localizedDescription
  }
}
