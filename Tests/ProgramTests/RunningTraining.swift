import ClusterEmulation
import ClusterLaunch
import Foundation
import Testing

/// A job of the built program that a test disturbs while it runs.
final class RunningTraining {
  private let process = Process()
  private let here: ClusterProject
  private let out: String
  private let mark: JobProcesses
  private let streams = UUID().uuidString

  /// Whether the slow tests are enabled.
  static let faultsAreWanted = ProcessInfo.processInfo.environment["CONTEXTURE_SLOW"] == "1"
  /// Whether the slow tests are enabled and hosts can be emulated.
  static let hostsCanBeMade =
    faultsAreWanted
    && Machine(environment: ProcessInfo.processInfo.environment, isRoot: geteuid() == 0).features()
      .namespaceObstacle == nil

  /// The variable that marks processes started by a test.
  static let variable = "CONTEXTURE_TEST"

  /// A job has to end within 10 s of a fault. The limit is twice that, for a machine that is busy with other
  /// tests.
  static let limit = 20.0

  /// Starts the program in the project's folder.
  ///
  /// - Parameters:
  ///   - out: the run folder that it creates.
  ///   - starter: a command that starts the program; the program and its arguments are appended.
  init(_ here: ClusterProject, _ words: [String], out: String, under starter: [String] = []) throws {
    (self.here, self.out) = (here, out)
    let value = UUID().uuidString
    mark = JobProcesses(variable: Self.variable, value: value)
    let command = starter + [Program.url.path] + words
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.currentDirectoryURL = here.project.folder
    process.environment = ProcessInfo.processInfo.environment.merging([Self.variable: value]) { $1 }
    for name in ["output", "errors"] { try here.write("", to: streams + name) }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: here.path(streams + "output"))
    process.standardError = FileHandle(forWritingAtPath: here.path(streams + "errors"))
    try process.run()
  }

  var identifier: pid_t { process.processIdentifier }

  private func text(_ name: String) -> String {
    (try? String(contentsOfFile: here.path(streams + name), encoding: .utf8)) ?? ""
  }

  /// Waits until `condition` holds, at most until the process ends or a time limit passes.
  func wait(for what: String, until condition: () -> Bool) throws {
    let end = ContinuousClock.now + .seconds(60)
    while !condition() {
      guard process.isRunning, ContinuousClock.now < end else {
        throw Program.CannotRun(reason: "no \(what): \(text("output")) \(text("errors"))")
      }
      Thread.sleep(forTimeInterval: 0.002)
    }
  }

  /// Waits until `count` steps are done.
  func wait(forSteps count: Int) throws {
    let file = here.path("\(out)/metrics.jsonl")
    try wait(for: "step \(count)") {
      (FileManager.default.contents(atPath: file) ?? Data()).count { $0 == 10 } >= count
    }
  }

  /// The ranks' processes, by rank.
  func ranks() -> [Int: pid_t] {
    var found: [Int: pid_t] = [:]
    for process in mark.running() where Self.isProgram(process) {
      let variables = Self.words(process, "environ")
      let name = "OMPI_COMM_WORLD_RANK="
      if let rank = variables.first(where: { $0.hasPrefix(name) }).flatMap({ Int($0.dropFirst(name.count)) })
      {
        found[rank] = process
      }
    }
    return found
  }

  /// The process that started the ranks; under `cluster emulate` it is not a child of this process.
  func launcher() throws -> pid_t {
    let found = mark.running().first { process in
      Self.isProgram(process) && Self.words(process, "cmdline").dropFirst().first == "train"
        && !Self.words(process, "environ").contains { $0.hasPrefix("OMPI_COMM_WORLD_RANK=") }
    }
    return try #require(found)
  }

  private static func isProgram(_ process: pid_t) -> Bool {
    let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/exe")
    return program == Program.url.path
  }

  private static func words(_ process: pid_t, _ file: String) -> [String] {
    (FileManager.default.contents(atPath: "/proc/\(process)/\(file)") ?? Data()).split(separator: 0)
      .map { String(decoding: $0, as: UTF8.self) }
  }

  func kill(_ rank: Int, _ signal: Int32 = SIGKILL) throws {
    Glibc.kill(try #require(ranks()[rank]), signal)
  }

  func signal(_ number: Int32) { Glibc.kill(identifier, number) }

  /// Applies a fault to the job while its launcher is stopped, waits until no rank is left, copies the run
  /// folder in that state, and lets the launcher continue.
  func copyRun(to copy: String, after fault: () throws -> Void) throws {
    let launcher = try launcher()
    Glibc.kill(launcher, SIGSTOP)
    defer { Glibc.kill(launcher, SIGCONT) }
    try fault()
    try wait(for: "end of the ranks") { ranks().isEmpty }
    try FileManager.default.copyItem(atPath: here.path(out), toPath: here.path(copy))
  }

  /// Waits for the end. Returns the seconds that takes, and the processes that are left 2 s later.
  func end() throws -> (outcome: Program.Outcome, seconds: Double, left: [pid_t]) {
    let start = ContinuousClock.now
    try? wait(for: "end") { false }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    for _ in 0..<100 where !mark.running().isEmpty { Thread.sleep(forTimeInterval: 0.02) }
    let outcome = Program.Outcome(
      status: process.terminationStatus, output: text("output"), errors: text("errors"))
    defer { mark.kill() }
    return (outcome, seconds, mark.running())
  }
}
