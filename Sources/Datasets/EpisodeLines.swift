import Foundation
import Glibc
import SafeFiles

/// Reads the lines of a file of episodes piece by piece, so that a file may be larger than memory.
///
/// What has been read is a copy: a file that is truncated or written to meanwhile is an error, not a signal.
package final class EpisodeLines {
  /// The maximum length of a line in bytes. It takes that much memory while it is read, and its episode a multiple.
  package static let longestLine = 256 << 20

  private enum Source {
    /// A regular file and the number of its bytes read so far.
    case file(MappedFile, Int)
    /// An open descriptor of another kind of file, read to its end.
    case stream(Int32, closes: Bool)
  }

  /// The number of the last line that `next()` returned, from 1.
  package private(set) var number = 0
  private let path: String
  private let limit: Int
  private var source: Source
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  /// What has been read but not returned.
  private var unread = 0..<0
  private var isAtEnd = false

  /// Opens a file.
  ///
  /// - Parameters:
  ///   - path: the file, or ``EpisodeFile/standardInput``.
  ///   - limit: the maximum length of a line in bytes.
  /// - Throws: `EpisodeFileError` if it cannot be read, or its first characters are UTF-16.
  package init(_ path: String, limit: Int = longestLine) throws(EpisodeFileError) {
    (self.path, self.limit) = (path, limit)
    source = try Self.open(path)
    // Not before: what throws above leaves no object that would release it.
    memory = .allocate(byteCount: 2 * MappedFile.pieceBytes, alignment: 64)
    while unread.count < 3, !isAtEnd { try fill() }
    let bytes = UnsafeRawBufferPointer(rebasing: memory[unread])
    // Without a mark, the first character of JSON is ASCII.
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.count > 1 && (bytes[0] == 0) != (bytes[1] == 0)
    {
      throw EpisodeFileError(path: path, problem: .encoding("UTF-16"))
    }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { unread = 3..<unread.upperBound }
  }

  deinit {
    if case .stream(let descriptor, closes: true) = source { close(descriptor) }
    memory.deallocate()
  }

  /// The bytes of the file and those read so far, without what has not been returned; `nil` if it is not a regular
  /// file.
  package var progress: (done: Int, all: Int)? {
    guard case .file(let file, let offset) = source else { return nil }
    return (offset - unread.count, file.count)
  }

  /// The next line, without its end; `nil` at the end of the file. Its bytes are valid until the next call of a
  /// method.
  ///
  /// - Throws: `EpisodeFileError` if the file cannot be read any more, or the line is too long.
  package func next() throws(EpisodeFileError) -> UnsafeRawBufferPointer? {
    var searched = 0
    while true {
      let bytes = UnsafeRawBufferPointer(rebasing: memory[unread])
      let rest = UnsafeRawBufferPointer(rebasing: bytes[searched...])
      let length = rest.baseAddress.flatMap { start in
        memchr(start, 0x0A, rest.count).map { searched + (UnsafeRawPointer($0) - start) }
      }
      guard (length ?? bytes.count) <= limit else {
        throw EpisodeFileError(path: path, line: number + 1, problem: .longLine(limit))
      }
      if let length {
        number += 1
        unread = unread.lowerBound + length + 1..<unread.upperBound
        return UnsafeRawBufferPointer(rebasing: bytes[..<length])
      }
      if isAtEnd {
        guard !bytes.isEmpty else { return nil }
        number += 1
        unread = unread.upperBound..<unread.upperBound
        return bytes
      }
      searched = bytes.count
      try fill()
    }
  }

  /// The next byte that is not white space; `nil` if there is none soon. Nothing is taken.
  ///
  /// - Throws: `EpisodeFileError` if the file cannot be read any more.
  package func peek() throws(EpisodeFileError) -> UInt8? {
    while true {
      let bytes = UnsafeRawBufferPointer(rebasing: memory[unread])
      if let byte = bytes.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) { return byte }
      guard !isAtEnd, bytes.count < MappedFile.pieceBytes else { return nil }
      try fill()
    }
  }

  /// Checks that a regular file has not been written to since it was opened.
  ///
  /// - Throws: `EpisodeFileError` if it has.
  package func checkUnchanged() throws(EpisodeFileError) {
    guard case .file(let file, _) = source else { return }
    do { try file.checkUnchanged() } catch {
      throw EpisodeFileError(path: path, problem: .changed(error.problem, remedy: error.remedy))
    }
  }

  /// Reads the next piece.
  private func fill() throws(EpisodeFileError) {
    makeRoom()
    let end = unread.upperBound
    let room = UnsafeMutableRawBufferPointer(rebasing: memory[end..<end + MappedFile.pieceBytes])
    switch source {
    case .file(let file, let offset):
      let piece = offset..<min(offset + room.count, file.count)
      isAtEnd = piece.upperBound == file.count
      do { try file.read(piece) { room.copyMemory(from: $0) } } catch {
        try checkUnchanged()
        throw EpisodeFileError(path: path, problem: .unreadable(Self.reason(error)))
      }
      source = .file(file, piece.upperBound)
      unread = unread.lowerBound..<end + piece.count
    case .stream(let descriptor, _):
      var count = read(descriptor, room.baseAddress, room.count)
      while count < 0, errno == EINTR { count = read(descriptor, room.baseAddress, room.count) }
      guard count >= 0 else {
        throw EpisodeFileError(path: path, problem: .unreadable(String(cString: strerror(errno))))
      }
      isAtEnd = count == 0
      unread = unread.lowerBound..<end + count
    }
  }

  /// Makes room for a piece behind what has not been returned.
  private func makeRoom() {
    guard memory.count - unread.upperBound < MappedFile.pieceBytes else { return }
    let kept = UnsafeRawBufferPointer(rebasing: memory[unread])
    if unread.count + MappedFile.pieceBytes <= memory.count {
      // The areas may overlap, which `copyMemory` allows.
      memory.copyMemory(from: kept)
    } else {
      let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * memory.count, alignment: 64)
      larger.copyMemory(from: kept)
      memory.deallocate()
      memory = larger
    }
    unread = 0..<kept.count
  }

  private static func open(_ path: String) throws(EpisodeFileError) -> Source {
    // Not /dev/stdin: opening a pipe again would wait for another writer.
    if path == EpisodeFile.standardInput { return .stream(STDIN_FILENO, closes: false) }
    func unreadable(_ code: Int32) -> EpisodeFileError {
      EpisodeFileError(path: path, problem: .unreadable(String(cString: strerror(code))))
    }
    var status = stat()
    guard stat(path, &status) == 0 else {
      let code = errno
      throw code == ENOENT ? EpisodeFileError(path: path, problem: .missing) : unreadable(code)
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: throw EpisodeFileError(path: path, problem: .folder)
    case S_IFREG:
      do { return .file(try MappedFile(URL(fileURLWithPath: path)), 0) } catch {
        throw EpisodeFileError(path: path, problem: .unreadable(reason(error)))
      }
    default:
      let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
      guard descriptor >= 0 else { throw unreadable(errno) }
      return .stream(descriptor, closes: true)
    }
  }

  private static func reason(_ error: any Error) -> String {
    (error as? FileError)?.problem ?? error.localizedDescription
  }
}
