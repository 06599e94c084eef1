import ClusterEmulation
import ClusterLaunch
import Foundation
import TestSupport

/// The built `contexture cluster emulate`, run as a person runs it.
final class Emulated {
  private let process = Process()
  private let output = Pipe()

  /// Stand beside the test bundle, because one build makes them all.
  static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent()
  static let probe = folder.appendingPathComponent("transport-probe").path
  static let machine = Machine(environment: ProcessInfo.processInfo.environment, isRoot: geteuid() == 0)

  /// Whether these tests are wanted, and hosts can be made here.
  static let isPossible =
    ProcessInfo.processInfo.environment["CONTEXTURE_SLOW"] == "1"
    && machine.features().namespaceObstacle == nil

  /// Starts a shell script beside the hosts that a text describes. `$1` is the hosts file, `$AGENT` starts a
  /// command on a host.
  init(_ yaml: String, _ script: String) throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
    try Data(yaml.utf8).write(to: file)
    let agent = #"AGENT=$(sed -n 's/^remoteShell: //p' "$1")"#
    process.executableURL = Self.folder.appendingPathComponent("contexture")
    process.arguments = [
      "cluster", "emulate", file.path, "--", "sh", "-c", "rm \(file.path); \(agent); \(script)", "sh",
      "{hosts}",
    ]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  var names: EmulationNames { EmulationNames(owner: process.processIdentifier) }

  /// The next piece of output; empty at its end.
  func read() -> String { String(decoding: output.fileHandleForReading.availableData, as: UTF8.self) }

  func signal(_ number: Int32) { Glibc.kill(process.processIdentifier, number) }

  /// Ends it without a chance to clean up. What it ran may go on; Foundation would wait for that too.
  func kill() {
    signal(SIGKILL)
    while JobProcesses.isRunning(process.processIdentifier) { Thread.sleep(forTimeInterval: 0.01) }
  }

  /// Waits for the end.
  func end() -> (code: Int32, output: String) {
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }

  /// What is in the system of it.
  var remains: Remains { Self.machine.remains()[names.owner] ?? Remains() }

  /// Whether its files are there.
  var hasFiles: Bool {
    [Self.machine.files(names), Self.machine.lock(names)].contains {
      FileManager.default.fileExists(atPath: $0)
    }
  }
}
