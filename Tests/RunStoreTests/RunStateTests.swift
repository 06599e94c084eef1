import RunStore
import Foundation
import GRDB
import Glibc
import InputErrors
import Testing

@Suite("States and names of runs") struct RunStateTests {
  /// A run whose process the test changes in the file.
  private func state(silence: Double, _ change: (inout ProcessIdentity) -> Void) -> RunState {
    var process = ProcessIdentity.current
    change(&process)
    return .unfinished(silence: silence, process: process, steps: 12)
  }

  @Test func aRunWithoutAnEndIsRunningOrDied() {
    #expect(state(silence: 1) { $0.process = 0 } == .running)
    #expect(state(silence: 59) { $0.start += 1 } == .running)
    #expect(state(silence: 61) { _ in } == .running)
    #expect(state(silence: 61) { $0.start += 1 } == .died(step: 12))
    #expect(state(silence: 61) { $0.process = Int(Int32.max) } == .died(step: 12))
    #expect(state(silence: 61) { $0.boot = "another" } == .died(step: 12))
    #expect(RunState.died(step: 12).text == "died at step 12")
  }

  @Test func aProcessThatCannotBeLookedForIsNotCalledDead() {
    let elsewhere = state(silence: 61) { ($0.boot, $0.host) = ("another", "far") }
    #expect(elsewhere == .silent(host: "far", step: 12))
    #expect(elsewhere.text == "no sign of life from far after step 12")
    #expect(
      state(silence: 61) { $0.namespace = "pid:[1]" } == .silent(host: ProcessIdentity.current.host, step: 12)
    )
    #expect(state(silence: 1) { ($0.boot, $0.host) = ("another", "far") } == .running)
  }

  @Test func anUnwaitedProcessIsGone() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sleep")
    process.arguments = ["60"]
    try process.run()
    let identifier = Int(process.processIdentifier)
    #expect(ProcessIdentity.startTime(of: identifier) != nil)
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(ProcessIdentity.startTime(of: identifier) == nil)
  }

  @Test func aRunIsNamedByItsIDOrTheBeginningOfOneOrItsFolder() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      let out = folder.appendingPathComponent("abc").path
      let first = try store.begin(.training(out), in: .test)
      let second = try store.begin(.training(folder.appendingPathComponent("other").path), in: .test)
      #expect(try store.identifier(of: first.id) == first.id)
      #expect(try store.identifier(of: String(second.id.prefix(11)).uppercased()) == second.id)
      // As given from anywhere, with a final slash, and as the list shows it.
      for name in [out, out + "/", "abc"] { #expect(try store.identifier(of: name) == first.id) }
      for (name, problem) in [
        ("", "has no run ''"), ("nothing", "has no run 'nothing'"), ("%", "has no run '%'"),
      ] {
        let error = #expect(throws: Refusal.self) { _ = try store.identifier(of: name) }
        #expect(error?.problem == problem)
      }
      try DatabaseQueue(path: path, configuration: .patient).write { database in
        for (run, id) in [(first, "aa0011223344"), (second, "aa5566778899")] {
          try database.execute(sql: "UPDATE runs SET id = ? WHERE id = ?", arguments: [id, run.id])
        }
      }
      let both = #expect(throws: Refusal.self) { _ = try store.identifier(of: "aa") }
      #expect(both?.problem == "'aa' is the beginning of 2 runs: aa0011223344, aa5566778899")
      #expect(try store.identifier(of: "aa5") == "aa5566778899")
    }
  }

  @Test func foldersMoveWithTheStore() throws {
    try withStore { folder, path in
      let store = try RunStore(path)
      #expect(store.stored(folder.appendingPathComponent("a/./b/../c").path) == "a/c")
      #expect(store.stored(folder.path) == ".")
      #expect(store.stored("/somewhere/else/") == "/somewhere/else")
      #expect(store.stored(folder.path + "-not") == folder.path + "-not")
    }
  }
}
