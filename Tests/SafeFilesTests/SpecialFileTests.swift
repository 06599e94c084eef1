import Foundation
import Glibc
import SafeFiles
import TestSupport
import Testing

/// Paths that are not regular files: links, pipes, devices, folders.
struct SpecialFileTests {
  private func with(_ body: (_ folder: String) throws -> Void) throws {
    try Fixtures.withTemporaryDirectory { try body($0.path) }
  }

  private func write(_ text: String, to path: String) throws {
    try AtomicFile.write(text, to: URL(fileURLWithPath: path))
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  private func error(_ body: () throws -> Void) -> FileError? {
    #expect(throws: FileError.self) { try body() }
  }

  private func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  @Test("what a symbolic link points to is replaced, and the link stays")
  func links() throws {
    try with { folder in
      let (old, new) = ("\(folder)/old", "\(folder)/sub/new")
      try FileManager.default.createDirectory(atPath: "\(folder)/sub", withIntermediateDirectories: false)
      try write("before", to: old)
      for (link, target) in [
        ("absolute", old), ("relative", "old"), ("dangling", "sub/new"), ("chain", "relative"),
      ] {
        #expect(symlink(target, "\(folder)/\(link)") == 0)
        try write(link, to: "\(folder)/\(link)")
        #expect(isLink("\(folder)/\(link)"))
        #expect(try text(link == "dangling" ? new : old) == link)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/sub") == ["new"])
    }
  }

  @Test(
    "the folder of a path",
    arguments: [
      ("a", ""), ("a/", ""), ("/", "/"), ("//", "/"), ("/a", "/"), ("//a//", "/"), ("a/b", "a"),
      ("a//b/", "a"),
      ("/a/b", "/a"), ("", ""), ("ab", ""), ("é/x", "é"),
    ])
  func parents(path: String, folder: String) { #expect(path.parentPath == folder) }

  @Test("a relative path to a relative link counts from the current folder")
  func relativeLinks() throws {
    let name = "link-\(UUID().uuidString)"
    #expect(symlink("sub/target", name) == 0)
    defer { unlink(name) }
    #expect(try Destination(name) == .replaced(path: "sub/target", mode: nil))
  }

  @Test("a sparse file that claims more than there is memory is refused")
  func sparse() throws {
    try with { folder in
      let path = "\(folder)/sparse"
      try write("", to: path)
      #expect(truncate(path, 8 << 40) == 0)
      let problem = error { _ = try FileContents.read(URL(fileURLWithPath: path)) }?.problem
      #expect(problem == "is larger than 1024 MiB")
    }
  }

  @Test("links that lead in a circle or to a folder are refused")
  func badLinks() throws {
    try with { folder in
      #expect(symlink("loop", "\(folder)/loop") == 0 && symlink(".", "\(folder)/here") == 0)
      #expect(error { try write("x", to: "\(folder)/loop") }?.remedy.contains("circle") == true)
      #expect(error { try write("x", to: "\(folder)/here") }?.remedy == "give a file, not a folder")
      #expect(error { try write("x", to: folder) }?.remedy == "give a file, not a folder")
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(names == ["here", "loop"])
    }
  }

  @Test("a folder is written where a symbolic link points to")
  func linkedFolders() throws {
    try with { folder in
      #expect(symlink("there", "\(folder)/link") == 0)
      let url = URL(fileURLWithPath: "\(folder)/link")
      try AtomicFolder.write(to: url) { try AtomicFile.write("x", to: $0.appendingPathComponent("a")) }
      #expect(isLink("\(folder)/link"))
      #expect(try text("\(folder)/there/a") == "x")
    }
  }

  @Test("a device is written to, not replaced")
  func devices() throws {
    try write("x", to: "/dev/null")
    var status = stat()
    #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    let full = error { try write("x", to: "/dev/full") }
    #expect(full?.file == "/dev/full" && full?.remedy.contains("free some space") == true)
    try with { folder in
      #expect(symlink("/dev/null", "\(folder)/link") == 0)
      try write("x", to: "\(folder)/link")
      #expect(isLink("\(folder)/link"))
    }
  }

  @Test("a named pipe is written to, and stays one")
  func pipes() throws {
    try with { folder in
      let path = "\(folder)/pipe"
      #expect(mkfifo(path, 0o600) == 0)
      let reader = open(path, O_RDONLY | O_NONBLOCK)
      defer { close(reader) }
      try write("through", to: path)
      var buffer = [UInt8](repeating: 0, count: 64)
      let count = read(reader, &buffer, buffer.count)
      #expect(String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self) == "through")
      #expect(try FileKind.of(path) == .pipe)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["pipe"])
    }
  }

  @Test("an open descriptor is written at its position")
  func descriptors() throws {
    try with { folder in
      let path = "\(folder)/file"
      let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
      defer { close(descriptor) }
      #expect(Glibc.write(descriptor, "first ", 6) == 6)
      for name in ["/dev/fd/\(descriptor)", "/proc/self/fd/\(descriptor)"] { try write("second ", to: name) }
      #expect(try text(path) == "first second second ")
    }
  }

  @Test("pipes, devices, sockets and folders are refused at once where a file is read")
  func reading() throws {
    try with { folder in
      #expect(mkfifo("\(folder)/pipe", 0o600) == 0)
      let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(socket) }
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let name = "/tmp/contexture-\(getpid())-socket"
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.utf8) }
      defer { unlink(name) }
      let bound = withUnsafeBytes(of: &address) { bytes in
        bind(socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      }
      #expect(bound == 0)
      for (path, what) in [
        ("\(folder)/pipe", "is a named pipe, not a regular file"),
        ("/dev/null", "is a device, not a regular file"),
        (name, "is a socket, not a regular file"), (folder, "is not a regular file"),
      ] {
        let url = URL(fileURLWithPath: path)
        #expect(error { _ = try MappedFile(url) }?.problem == what)
        #expect(error { _ = try FileContents.read(url) }?.problem == what)
        #expect(error { _ = try FileContents.readIfPresent(url) }?.problem == what)
        #expect(error { _ = try FileContents.readText(path) }?.problem == what)
        #expect(error { _ = try FileChecksum.sha256(of: url) }?.problem == what)
      }
    }
  }

  @Test("a text may come through a shell's pipe")
  func shellPipes() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    #expect(Glibc.write(ends[1], "text", 4) == 4)
    close(ends[1])
    defer { close(ends[0]) }
    #expect(try FileContents.readText("/dev/fd/\(ends[0])") == Data("text".utf8))
  }

  @Test("a file keeps its permissions, and a name of any length can be written")
  func permissionsAndNames() throws {
    try with { folder in
      let path = "\(folder)/\(String(repeating: "é", count: 127))"
      try write("a", to: path)
      #expect(chmod(path, 0o600) == 0)
      try write("b", to: path)
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
      #expect(try text(path) == "b")
      #expect(error { try write("a", to: path + "xx") }?.remedy == "shorten the name")
    }
  }
}

/// What killed processes leave behind.
struct LeftoverTests {
  /// The number of a process that has ended.
  private func endedProcess() throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/true")
    try process.run()
    process.waitUntilExit()
    return process.processIdentifier
  }

  private func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  @Test("those of ended processes are removed, under the same name alone")
  func ended() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let dead = try endedProcess()
      for name in [".out.\(dead).0.tmp", ".out.\(dead).7.tmp"] {
        let inside = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: false)
        try Data("x".utf8).write(to: inside.appendingPathComponent("run.json"))
      }
      // Of a process that runs, of others, and not temporary names at all.
      let kept = [
        ".out.1.0.tmp", ".other.\(dead).0.tmp", ".out.x.0.tmp", ".out.\(dead).tmp", "out.\(dead).0.tmp",
        ".in.out.\(dead).0.tmp",
      ]
      for name in kept { try Data("x".utf8).write(to: folder.appendingPathComponent(name)) }
      try AtomicFolder.write(to: folder.appendingPathComponent("out")) {
        try AtomicFile.write("x", to: $0.appendingPathComponent("a"))
      }
      #expect(try names(folder) == (kept + ["out"]).sorted())
      try Data("x".utf8).write(to: folder.appendingPathComponent(".file.\(dead).0.tmp"))
      try AtomicFile.write("x", to: folder.appendingPathComponent("file"))
      #expect(try names(folder) == (kept + ["out", "file"]).sorted())
      Leftovers.remove(in: folder.path, isOurs: true)
      #expect(try names(folder) == [".out.\(dead).tmp", ".out.x.0.tmp", "file", "out", "out.\(dead).0.tmp"])
    }
  }

  @Test("what a process of the same number, such as this one, still writes is not removed")
  func living() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("file")
      try AtomicFile.write(to: url) { writer in
        try AtomicFile.write("second", to: url)
        Leftovers.remove(in: folder.path, isOurs: true)
        try writer.write("first")
      }
      #expect(try String(contentsOf: url, encoding: .utf8) == "first")
      let temporary = try TemporaryFolder(in: folder, name: "work")
      let other = try TemporaryFolder(in: folder, name: "work")
      Leftovers.remove(in: folder.path, isOurs: true)
      #expect(FileManager.default.fileExists(atPath: temporary.url.path))
      #expect(FileManager.default.fileExists(atPath: other.url.path))
    }
  }
}

/// Files that change while they are open.
struct ChangedFileTests {
  /// A file that is mapped, and one that is small enough for memory.
  @Test(arguments: [1000, 5 << 20])
  func truncatedOrOverwritten(size: Int) throws {
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("weights")
      let bytes = Data((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
      let changes: [(name: String, change: () throws -> Void)] = [
        ("truncated", { #expect(truncate(url.path, 10) == 0) }),
        (
          "overwritten",
          {
            let handle = try FileHandle(forWritingTo: url)
            try handle.write(contentsOf: Data("other".utf8))
            try handle.close()
          }
        ),
      ]
      for (name, change) in changes {
        try bytes.write(to: url)
        // So that the time of the change differs, whatever the file system's resolution.
        var times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, url.path, &times, 0) == 0)
        let file = try MappedFile(url)
        try file.checkUnchanged()
        let range = size - 500..<size - 100
        #expect(try file.read(range) { Data($0) } == bytes[range])
        try change()
        let error = #expect(throws: FileError.self, "\(name)") { try file.checkUnchanged() }
        #expect(error?.file == url.path && error?.problem.contains("has changed") == true)
        // Either the bytes from before, or an error; never a signal.
        let read = try? file.read(range) { Data($0) }
        #expect(read == nil || read == bytes[range])
      }
    }
  }

  @Test("a file that is replaced by another one stays as it was opened")
  func replaced() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("weights")
      try AtomicFile.write(Data(count: 5 << 20), to: url)
      let file = try MappedFile(url)
      try AtomicFile.write("short", to: url)
      try file.checkUnchanged()
      #expect(try file.read(1 << 20..<(1 << 20) + 4) { Data($0) } == Data(count: 4))
    }
  }
}

struct SystemErrorTests {
  @Test("every error of the system that a user can mend has its own fix")
  func remedies() {
    let codes = [
      ENOENT, EACCES, EISDIR, ENOTDIR, ENOSPC, EROFS, EMFILE, ELOOP, ENAMETOOLONG, EPIPE, EFBIG, EEXIST,
      ENOMEM, EIO,
      ENXIO, EBUSY, ESTALE, EINVAL,
    ]
    let remedies = codes.map { SystemError.describe($0, path: "p", action: "open").remedy }
    #expect(Set(remedies).count == codes.count && !remedies.contains("see the system's message"))
    #expect(SystemError.describe(EDQUOT, path: "p", action: "write").remedy == remedies[4])
    let error = SystemError.describe(ENOENT, path: "p", action: "open")
    #expect(error.kind == .missing && error.problem == "cannot open: No such file or directory (errno 2)")
    #expect(SystemError.describe(EACCES, path: "p", action: "open").kind == .inputOutput)
  }

  @Test("Foundation's errors keep the system's reason")
  func foundation() throws {
    let error = #expect(throws: FileError.self) {
      try AtomicFolder.make(URL(fileURLWithPath: "/dev/null/folder"))
    }
    #expect(error?.problem.contains("errno \(ENOTDIR)") == true, "\(String(describing: error))")
  }
}
