import Foundation
import InputErrors
import SafeFiles
import Transport

/// Starts a job with `mpirun` and supervises it to its end.
///
/// Whatever happens to a rank, `run` returns within seconds: mpirun ends a job if a rank dies or gives up,
/// and if it does not, it is terminated, then killed. Remaining processes of the job on this machine are
/// killed; those on other hosts end with their connection to mpirun.
package struct Supervisor: Sendable {
  private static let jobVariable = "CONTEXTURE_JOB"
  /// Seconds that mpirun is given after the first sign of a failure, and again after SIGTERM.
  private static let grace = (failure: Duration.seconds(2.5), termination: Duration.seconds(1.5))

  private let command: MPIRunCommand
  private let mpirun: String
  private var environment: [String: String]

  /// Finds mpirun.
  ///
  /// - Parameters:
  ///   - command: the job to start.
  ///   - environment: the variables of mpirun and of the ranks on this machine; mpirun is looked up in its
  ///     `PATH`.
  /// - Throws: `Refusal` if Open MPI is not installed.
  package init(_ command: MPIRunCommand, environment: [String: String]) throws(Refusal) {
    let folders = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    // Debian's own name comes first: if MPICH is installed too, mpirun may belong to it.
    let candidates = ["mpirun.openmpi", "mpirun"].flatMap { name in folders.map { "\($0)/\(name)" } }
    let remedy = "install Open MPI (on Debian: openmpi-bin)"
    guard let mpirun = candidates.first(where: { access($0, X_OK) == 0 }) else {
      throw Refusal("mpirun is not in PATH", remedy)
    }
    var version = try ChildProcess([mpirun, "--version"], environment: environment)
    var lines: [String] = []
    while true {
      let isOver = version.exitCode() != nil
      lines += version.lines(waiting: 100).map(\.text)
      if isOver { break }
    }
    guard lines.contains(where: { $0.contains("(Open MPI)") || $0.contains("(OpenRTE)") }) else {
      throw Refusal(
        "\(mpirun) is not Open MPI's: \(lines.first ?? "it prints nothing")", remedy)
    }
    self.command = command
    self.mpirun = mpirun
    self.environment = environment
    // Has no effect for users other than root.
    self.environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
    self.environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
  }

  /// Whether a process is a rank that a supervisor started, and should print what a supervisor reads.
  ///
  /// - Parameter environment: the process's environment variables.
  package static func hasStarted(_ environment: [String: String]) -> Bool { environment[jobVariable] != nil }

  /// Runs the job.
  ///
  /// - Parameters:
  ///   - isCancelled: called several times a second; when it returns true, the job is ended.
  ///   - isStopping: called several times a second; when it returns true, the ranks are sent SIGUSR1, so that
  ///     they stop by themselves.
  ///   - onLine: receives each line that the ranks print, and whether it was printed to standard error.
  /// - Throws: `JobFailure` unless every rank exited with 0.
  package func run(
    isCancelled: () -> Bool = { false }, isStopping: () -> Bool = { false },
    onLine: (_ line: String, _ isError: Bool) -> Void
  ) throws {
    let name = "contexture-job-\(UUID().uuidString)"
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    try AtomicFolder.make(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let hostFile = folder.appendingPathComponent("hosts")
    try AtomicFile.write(command.hostFile, to: hostFile)

    var shellScript: String?
    if command.hosts.network != nil {
      let script = folder.appendingPathComponent("shell")
      try AtomicFile.write(RemoteShellScript.text(command.hosts.remoteShell), to: script)
      shellScript = script.path
    }
    let job = JobProcesses(variable: Self.jobVariable, value: folder.lastPathComponent)
    defer { job.kill() }
    var environment = environment
    environment[job.variable] = job.value
    var command = command
    command.variables.append(job.variable)
    var arguments = [mpirun] + command.arguments(hostFile: hostFile.path, shellScript: shellScript)
    // If this process is killed, mpirun is sent SIGTERM.
    let setpriv = "/usr/bin/setpriv"
    if access(setpriv, X_OK) == 0 { arguments = [setpriv, "--pdeathsig", "TERM"] + arguments }
    var child = try ChildProcess(arguments, environment: environment)

    var report = MPIRunReport()
    var deadline: ContinuousClock.Instant?
    var wasTold = false
    var wasCancelled = false
    var wasAsked = false
    var exitCode: Int32?
    while true {
      // Checked first, so that all lines printed before the end are read after it.
      exitCode = child.exitCode()
      var lines: [ChildProcess.Line] = []
      repeat {
        lines = child.lines(waiting: exitCode == nil ? 100 : 0)
        for line in lines where !report.take(line.text, isError: line.isError) {
          onLine(line.text, line.isError)
        }
      } while exitCode != nil && !lines.isEmpty
      if exitCode != nil { break }
      if !wasAsked && isStopping() {
        child.signal(SIGUSR1)
        wasAsked = true
      }
      if !wasCancelled && isCancelled() { (wasCancelled, deadline) = (true, .now) }
      if report.hasFailed && deadline == nil { deadline = .now + Self.grace.failure }
      if let end = deadline, ContinuousClock.now > end {
        child.signal(wasTold ? SIGKILL : SIGTERM)
        (wasTold, deadline) = (true, .now + Self.grace.termination)
      }
    }
    if let code = exitCode, code != 0 || report.hasFailed || wasCancelled {
      throw wasCancelled
        ? JobFailure(reason: "the job was cancelled", exitCode: code)
        : report.failure(exitCode: code, hosts: command.hosts)
    }
  }
}
