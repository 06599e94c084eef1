import Foundation
import Glibc
import SafeFiles
import TestSupport
import Testing

@Suite struct FileTests {
  private struct Refusal: Error {}

  @Test func anAtomicFileReplacesTheOldOne() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("a.txt")
      try AtomicFile.write("old", to: url)
      let mapped = try MappedFile(url)
      try AtomicFile.write("newer", to: url)
      #expect(mapped.withBytes { String(decoding: $0, as: UTF8.self) } == "old")
      #expect(try String(contentsOf: url, encoding: .utf8) == "newer")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.txt"])
    }
  }

  @Test func afterAFailureNothingIsLeftAndTheOldFileStands() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("a.txt")
      try AtomicFile.write("old", to: url)
      #expect(throws: Refusal.self) {
        try AtomicFile.write(to: url) {
          try $0.write("half")
          throw Refusal()
        }
      }
      #expect(try String(contentsOf: url, encoding: .utf8) == "old")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.txt"])
      let busy = folder.appendingPathComponent("folder")
      try FileManager.default.createDirectory(at: busy, withIntermediateDirectories: false)
      #expect(fileError { try AtomicFile.write("x", to: busy) }?.kind == .inputOutput)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["a.txt", "folder"])
      let nowhere = folder.appendingPathComponent("none/a.txt")
      #expect(fileError { try AtomicFile.write("x", to: nowhere) }?.file == nowhere.path)
    }
  }

  @Test func aFullDiskIsNamedWithARemedy() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let error = fileError {
      try [UInt8(1), 2, 3].withUnsafeBytes {
        try AtomicFile.writeAll($0, to: descriptor, path: "run/adapter.safetensors")
      }
    }
    #expect(error?.file == "run/adapter.safetensors")
    #expect(error?.remedy.contains("full") == true)
    #expect(error?.problem.contains("3 more bytes") == true)
  }

  // Separate functions, because the compiler's region analysis fails on these closures when they are nested.
  private static func fill(_ url: URL, thenFail: Bool) throws {
    try AtomicFolder.write(to: url) { folder in
      try AtomicFile.write("x", to: folder.appendingPathComponent("a"))
      if thenFail { throw Refusal() }
    }
  }

  private static func failWithin(_ url: URL) throws {
    try AtomicFolder.write(to: url) { folder in
      try AtomicFile.write("x", to: folder.appendingPathComponent("none/a"))
    }
  }

  private static func names(in folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
  }

  @Test func anAtomicFolderAppearsWholeOrNotAtAll() throws {
    try Fixtures.withTemporaryDirectory { try checkAtomicFolders(in: $0) }
  }

  private func checkAtomicFolders(in folder: URL) throws {
    let url = folder.appendingPathComponent("out")
    #expect(throws: Refusal.self) { try Self.fill(url, thenFail: true) }
    let deep = folder.appendingPathComponent("new/deep/out")
    let refused = fileError { try Self.failWithin(deep) }
    #expect(refused?.file == deep.appendingPathComponent("none/a").path, "by the path it would have had")
    #expect(try Self.names(in: folder) == [])
    try Self.fill(url, thenFail: false)
    #expect(try Self.names(in: url) == ["a"])
    #expect(fileError { try Self.fill(url, thenFail: false) }?.file == url.path)
  }

  @Test func aLockIsHeldOnce() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let file = folder.appendingPathComponent("file")
      #expect(fileError { _ = try FileLock(file) }?.kind == .missing)
      try Data().write(to: file)
      let lock = try FileLock(file)
      let problem = fileError { _ = try FileLock(file) }?.problem
      withExtendedLifetime(lock) {}
      #expect(problem == "is in use by process \(getpid())")
    }
  }

  @Test func whatCannotBeMappedIsNamed() throws {
    try Fixtures.withTemporaryDirectory { folder in
      #expect(fileError { _ = try MappedFile(folder) }?.file == folder.path)
      let absent = folder.appendingPathComponent("absent")
      #expect(fileError { _ = try MappedFile(absent) }?.kind == .missing)
      #expect(fileError { _ = try FileChecksum.sha256(of: absent) }?.kind == .missing)
      let empty = folder.appendingPathComponent("empty")
      try AtomicFile.write("", to: empty)
      #expect(try MappedFile(empty).count == 0)
    }
  }

  @Test func checksumsAreTheStandardsExamples() throws {
    // FIPS 180-2, appendix B.1 and B.3.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    #expect(FileChecksum.sha256(of: Data("abc".utf8)) == abc)
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("a")
      try AtomicFile.write(String(repeating: "a", count: 1_000_000), to: url)
      #expect(try FileChecksum.sha256(of: url) == million)
    }
  }

  private func fileError(_ body: () throws -> Void) -> FileError? {
    #expect(throws: FileError.self) { try body() }
  }
}
