import Foundation

/// The processes of a job on this machine, known by a variable in their environment, which their children
/// inherit.
struct JobProcesses {
  let variable: String
  /// A text that no other job has.
  let value: String

  /// Those that are there. Only processes that this user may look into are found.
  func running() -> [pid_t] {
    let entry = [UInt8]("\(variable)=\(value)".utf8)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { process in
      guard let environment = FileManager.default.contents(atPath: "/proc/\(process)/environ") else {
        return false
      }
      return environment.split(separator: 0).contains { $0.elementsEqual(entry) }
    }
  }

  /// Kills them, and waits until they are gone, 2 s at most.
  func kill() {
    for _ in 0..<100 {
      let running = running()
      if running.isEmpty { return }
      for process in running { _ = Glibc.kill(process, SIGKILL) }
      Thread.sleep(forTimeInterval: 0.02)
    }
  }
}
