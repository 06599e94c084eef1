import ClusterLaunch
import Foundation
import InputErrors
import SafeFiles

/// The machine that clusters are emulated on: runs programs, and finds what emulations have created.
package struct Machine: Sendable {
  /// Where running emulations keep their files. It is the same for all processes, so that leftovers are
  /// found.
  let root: String
  let isRoot: Bool
  private let environment: [String: String]
  private let searchPath: [String]

  /// - Parameters:
  ///   - environment: the process's environment variables; programs are looked up in its `PATH`.
  ///   - isRoot: whether the process has root privileges.
  package init(environment: [String: String], isRoot: Bool) {
    self.environment = environment
    self.isRoot = isRoot
    searchPath =
      (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
      + ["/usr/sbin", "/sbin"]
    root =
      isRoot
      ? "/run/contexture"
      : FileManager.default.temporaryDirectory.appendingPathComponent("contexture-\(getuid())").path
  }

  /// The path of a program; `nil` if there is none. A name with a slash is already a path.
  package func program(_ name: String) -> String? {
    if name.contains("/") { return isProgram(name) ? name : nil }
    return searchPath.map { "\($0)/\(name)" }.first(where: isProgram)
  }

  private func isProgram(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
      && access(path, X_OK) == 0
  }

  /// Runs a program to its end. Returns its standard output.
  @discardableResult
  func run(_ command: [String]) throws(Refusal) -> [String] {
    guard let path = program(command[0]) else {
      throw Refusal(command[0], "is not installed", "install it (on Debian: iproute2, util-linux)")
    }
    var lines: [ChildProcess.Line] = []
    let code: Int32
    do throws(Refusal) {
      var child = try ChildProcess([path] + command.dropFirst(), environment: environment)
      while true {
        let ended = child.exitCode()
        lines += child.lines(waiting: ended == nil ? 5 : 0)
        if let ended {
          code = ended
          break
        }
      }
    } catch {
      throw Refusal(command[0], error.problem, error.remedy)
    }
    guard code == 0 else {
      let said = lines.map(\.text).joined(separator: " ").trimmingCharacters(in: .whitespaces)
      throw Refusal(
        "'\(command.joined(separator: " "))'", said.isEmpty ? "ended with exit code \(code)" : said,
        "check that the kernel supports it and that this process may do it")
    }
    return lines.filter { !$0.isError }.map(\.text)
  }

  func perform(_ step: Step) throws(Refusal) {
    func check(_ result: Int32, _ path: String) throws(Refusal) {
      guard result == 0 else {
        throw Refusal(
          "'\(step)'", "cannot change \(path): \(SystemError.reason(errno))", SystemError.remedy(errno))
      }
    }
    switch step {
    case .run(let command): try run(command)
    case .makeFolder(let path): try check(mkdir(path, 0o755) == 0 || errno == EEXIST ? 0 : -1, path)
    case .removeFolder(let path): try check(rmdir(path), path)
    case .write(let text, let path):
      // In one write and without creating the file: it is the kernel's.
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      try check(descriptor >= 0 ? 0 : -1, path)
      let bytes = Array(text.utf8)
      let written = write(descriptor, bytes, bytes.count)
      let error = errno
      close(descriptor)
      errno = error
      try check(written == bytes.count ? 0 : -1, path)
    }
  }

  /// The networks of this machine's own addresses.
  func networks() throws(Refusal) -> [Subnet] {
    try run(["ip", "-o", "-4", "addr", "show"]).compactMap { line in
      line.firstMatch(of: /inet ([0-9.]+\/[0-9]+)/).flatMap { Subnet(String($0.1)) }
    }
  }

  func text(_ path: String) -> String {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  func contents(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// What emulations have in the system, by the process that owns them. Without root they have nothing there.
  package func remains() -> [Int32: Remains] {
    guard isRoot else { return [:] }
    var found: [Int32: Remains] = [:]
    for line in text("/proc/self/net/dev").split(separator: "\n") {
      let name = line.split(separator: ":").first?.trimmingCharacters(in: .whitespaces) ?? ""
      if let names = EmulationNames(of: name) { found[names.owner, default: Remains()].links.append(name) }
    }
    for name in contents("/run/netns") {
      if let names = EmulationNames(of: name) {
        found[names.owner, default: Remains()].namespaces.append(name)
      }
    }
    let mounts = text("/proc/mounts")
    let hierarchies = [Cgroups.Controller.cpu, .memory].flatMap { Cgroups.candidates($0, mounts: mounts) }
    for parent in Set(hierarchies.map(\.parent)).sorted() {
      for name in contents(parent) {
        if let names = EmulationNames(of: name) {
          found[names.owner, default: Remains()].groups.append("\(parent)/\(name)")
        }
      }
    }
    return found
  }
}
