import ClusterLaunch
import Foundation
import InputErrors

extension Machine {
  /// Removes the leftovers of emulations that were killed.
  ///
  /// - Returns: the emulations' names.
  @discardableResult
  package func removeLeftovers() throws(Refusal) -> [String] {
    let turn = try Claim(folder: root)
    defer {
      turn.release()
      removeRoot()
    }
    return try removeLeftovers(taken: turn)
  }

  /// The same for a caller that holds the folder's lock.
  @discardableResult
  func removeLeftovers(taken _: Claim) throws(Refusal) -> [String] {
    let files = contents(root).compactMap { Int32($0.split(separator: ".").first ?? "") }
    let left = Set(files).union(remains().keys).sorted().map { EmulationNames(owner: $0) }
      .filter { !Claim.isHeld(lock($0)) }
    for names in left { try remove(names) }
    return left.map(\.emulation)
  }

  /// The lock file of an emulation's process.
  package func lock(_ names: EmulationNames) -> String { "\(root)/\(names.owner).lock" }

  /// The folder of an emulation's files.
  package func files(_ names: EmulationNames) -> String { "\(root)/\(names.owner).files" }

  /// Removes the folder of all emulations if it is empty.
  func removeRoot() { rmdir(root) }

  /// Ends an emulation's processes, and removes everything that has its name.
  func remove(_ names: EmulationNames) throws(Refusal) {
    endProcesses(names)
    var failure: Refusal?
    // A control group cannot be removed, nor a name reused, until a moment after its last process has ended.
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

  /// Asks the processes of an emulation to end, and kills those that have not ended after 3 s.
  private func endProcesses(_ names: EmulationNames) {
    let job = JobProcesses(variable: EmulationNames.variable, value: names.emulation)
    for process in job.running() { kill(process, SIGTERM) }
    for _ in 0..<150 where job.running().contains(where: JobProcesses.isRunning) {
      Thread.sleep(forTimeInterval: 0.02)
    }
    job.kill()
    // Processes with another environment.
    for group in remains()[names.owner]?.groups ?? [] {
      for line in text("\(group)/cgroup.procs").split(separator: "\n") {
        if let process = pid_t(line), process > 1, process != getpid() { kill(process, SIGKILL) }
      }
    }
  }
}
