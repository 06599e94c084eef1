import ClusterLaunch
import Foundation
import InputErrors

extension Machine {
  /// Removes what emulations have left whose process was killed.
  ///
  /// - Returns: their names.
  @discardableResult
  package func removeLeftovers() throws(Refusal) -> [String] {
    let turn = try Claim(folder: root)
    defer {
      turn.release()
      removeRoot()
    }
    return try removeLeftovers(taken: turn)
  }

  /// The same for one who has the folder already.
  @discardableResult
  func removeLeftovers(taken _: Claim) throws(Refusal) -> [String] {
    let files = contents(root).compactMap { Int32($0.split(separator: ".").first ?? "") }
    let left = Set(files).union(remains().keys).sorted().map { EmulationNames(owner: $0) }
      .filter { !Claim.isHeld(lock($0)) }
    for names in left { try remove(names) }
    return left.map(\.emulation)
  }

  /// The file that an emulation's process has locked.
  package func lock(_ names: EmulationNames) -> String { "\(root)/\(names.owner).lock" }

  /// The folder of an emulation's files.
  package func files(_ names: EmulationNames) -> String { "\(root)/\(names.owner).files" }

  /// Removes the folder for all emulations, once it is empty.
  func removeRoot() { rmdir(root) }

  /// Ends an emulation's processes, and removes everything that carries its name.
  func remove(_ names: EmulationNames) throws(Refusal) {
    endProcesses(names)
    var failure: Refusal?
    // A control group can be removed, and a name given back, a moment after its last process has ended.
    for attempt in 0..<40 {
      let left = remains()[names.owner] ?? Remains()
      if left.isEmpty {
        failure = nil
        break
      }
      if attempt > 0 { Thread.sleep(forTimeInterval: 0.05) }
      for step in left.removal {
        do throws(Refusal) { try perform(step) } catch { failure = error }
      }
    }
    try? FileManager.default.removeItem(atPath: files(names))
    unlink(lock(names))
    if let left = remains()[names.owner], let failure {
      throw Refusal(
        names.emulation, "\(left.description) cannot be removed (\(failure.problem))",
        "end the processes in it, then run 'contexture cluster emulate --clean'")
    }
  }

  /// Asks the processes of an emulation to end, and kills those that have not after 3 s.
  private func endProcesses(_ names: EmulationNames) {
    let job = JobProcesses(variable: EmulationNames.variable, value: names.emulation)
    for process in job.running() { kill(process, SIGTERM) }
    for _ in 0..<150 where job.running().contains(where: JobProcesses.isRunning) {
      Thread.sleep(forTimeInterval: 0.02)
    }
    job.kill()
    // Those that have another environment.
    for group in remains()[names.owner]?.groups ?? [] {
      for line in text("\(group)/cgroup.procs").split(separator: "\n") {
        if let process = pid_t(line), process > 1, process != getpid() { kill(process, SIGKILL) }
      }
    }
  }
}
