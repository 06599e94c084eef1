import ClusterEmulation
import ClusterLaunch
import Foundation
import TestSupport

/// Runs the built `contexture cluster emulate` as a user would.
final class Emulated {
  private let process = Process()
  private let output = Pipe()

  /// The folder of the test bundle, which the same build puts the programs into.
  static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent()
  static let probe = folder.appendingPathComponent("transport-probe").path
  static let machine = Machine(environment: ProcessInfo.processInfo.environment, isRoot: geteuid() == 0)

  /// Whether these tests are enabled and hosts can be created here.
  static let isPossible =
    ProcessInfo.processInfo.environment["CONTEXTURE_SLOW"] == "1"
    && machine.features().namespaceObstacle == nil

  /// Starts a shell script on the hosts that a text describes. `$1` is the hosts file, `$AGENT` starts a
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

  /// Kills it without a chance to clean up. Programs that it started may keep running; Foundation would wait
  /// for those, too.
  func kill() {
    signal(SIGKILL)
    while JobProcesses.isRunning(process.processIdentifier) { Thread.sleep(forTimeInterval: 0.01) }
  }

  /// Waits until it ends.
  func end() -> (code: Int32, output: String) {
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }

  /// What it has in the system.
  var remains: Remains { Self.machine.remains()[names.owner] ?? Remains() }

  /// Whether its files exist.
  var hasFiles: Bool {
    [Self.machine.files(names), Self.machine.lock(names)].contains {
      FileManager.default.fileExists(atPath: $0)
    }
  }
}
