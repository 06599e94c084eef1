import Foundation

/// The processes of a job on this machine, identified by a variable in their environment, which their
/// children inherit.
package struct JobProcesses {
  let variable: String
  /// A text that is unique to the job.
  let value: String

  package init(variable: String, value: String) { (self.variable, self.value) = (variable, value) }

  /// The running processes. Finds only those that this user may inspect.
  package func running() -> [pid_t] {
    let entry = [UInt8]("\(variable)=\(value)".utf8)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { process in
      guard let environment = FileManager.default.contents(atPath: "/proc/\(process)/environ") else {
        return false
      }
      return environment.split(separator: 0).contains { $0.elementsEqual(entry) }
    }
  }

  /// Kills them and waits until they have ended, at most 2 s.
  package func kill() {
    var killed: Set<pid_t> = []
    for _ in 0..<100 {
      let running = running()
      for process in running { _ = Glibc.kill(process, SIGKILL) }
      killed.formUnion(running)
      if !killed.contains(where: Self.isRunning) { return }
      Thread.sleep(forTimeInterval: 0.02)
    }
  }

  /// Whether a process runs. A zombie does not.
  package static func isRunning(_ process: pid_t) -> Bool {
    guard let status = FileManager.default.contents(atPath: "/proc/\(process)/stat") else { return false }
    // `PROCESS (NAME) STATE …`, where the name may contain brackets.
    let rest = String(decoding: status, as: UTF8.self).split(separator: ")").last ?? ""
    return !rest.hasPrefix(" Z") && !rest.hasPrefix(" X")
  }
}
