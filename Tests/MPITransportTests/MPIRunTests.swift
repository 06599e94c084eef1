import ClusterLaunch
import Foundation
import TestSupport
import Testing

/// Real ranks under a real mpirun, one job at a time.
@Suite(.serialized) enum MPIJobs {}

extension MPIJobs {
  @Suite(.serialized) struct MessageTests {
    @Test(arguments: [2, 4], ProbeRun.Link.allCases)
    func messagesAndCollectivesPass(ranks: Int, link: ProbeRun.Link) throws {
      let run = try ProbeRun(["check"], ranks: ranks, over: link)
      #expect(run.failure == nil)
      #expect(
        run.lines.sorted()
          == (0..<ranks).map { "rank \($0) of \(ranks): check passed, \(86 * (ranks - 1)) messages" })
    }

    @Test(arguments: [
      (["fit", "10", "5"], "5 bytes from rank 0 (tag 1); the message is longer"),
      (
        ["--part", "1000", "fit", "4500", "5000"],
        "5000 bytes from rank 0 (tag 1); the message is shorter, "
          + "but one of more than 1000 bytes must have exactly that length"
      ),
    ]) func aMessageThatDoesNotFitIsAnError(arguments: [String], message: String) throws {
      let run = try ProbeRun(arguments, ranks: 2, over: .tcp)
      #expect(run.failure?.reason == "rank 1 waited for up to \(message)")
    }

    @Test func aMessageMayBeShorterThanItsReceive() throws {
      #expect(try ProbeRun(["fit", "4", "5000000"], ranks: 2, over: .tcp).lines == ["received 4 bytes"])
    }

    @Test func messagesLongerThanAPartAreCut() throws {
      let run = try ProbeRun(["--part", "300000", "check"], ranks: 2, over: .tcp)
      #expect(run.failure == nil)
      #expect(run.lines.count == 2)
    }

    /// A message longer than MPI can count. Needs 5 GB of memory.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["CONTEXTURE_BENCHMARK"] != nil))
    func messagesMayBeLongerThanAnIntCounts() throws {
      let run = try ProbeRun(["--deadline", "120", "long", "2200000000"], ranks: 2, over: .sharedMemory)
      #expect(run.failure == nil)
      #expect(run.lines == ["received 2200000000 bytes"])
    }

    @Test(arguments: [2, 4]) func everyLinkIsProfiled(ranks: Int) throws {
      let run = try ProbeRun(["profile"], ranks: ranks, over: .tcp)
      #expect(run.failure == nil)
      #expect(
        run.lines.filter { $0.contains(/latency [\d.]+ us  bandwidth [\d.]+ MB/) }.count == ranks
          * (ranks - 1))
    }

    @Test(arguments: ProbeRun.Link.allCases) func messagesMoveWhileBothSidesCompute(link: ProbeRun.Link)
      throws
    {
      #expect(try ProbeRun(["overlap", "2"], ranks: 2, over: link).failure == nil)
    }

    @Test(arguments: ProbeRun.Link.allCases) func aWaitLeavesTheProcessorToOthers(link: ProbeRun.Link) throws
    {
      #expect(try ProbeRun(["idle", "2"], ranks: 2, over: link).failure == nil)
    }
  }

}

extension MPIJobs {
  /// Whatever happens to a rank, the job ends within 10 s, names the rank and leaves nothing behind.
  @Suite(.serialized) struct FaultTests {
    private func check(_ run: ProbeRun, _ message: String) {
      #expect(run.failure?.description == message)
      #expect(run.failure?.exitCode != 0)
      #expect(run.secondsToEnd < 10)
      #expect(run.left == [])
    }

    @Test(arguments: ["ring", "watch"]) func aKilledRank(mode: String) throws {
      let run = try ProbeRun([mode], ranks: 4, over: .tcp) { processes in
        if let process = processes[2] { kill(process, SIGKILL) }
      }
      check(run, "rank 2 on host 'here': was killed by signal 9 (Killed)")
    }

    /// With two ranks, only rank 0 waits for the stopped rank 1.
    @Test func aStoppedRankIsMetByADeadline() throws {
      let run = try ProbeRun(["--silence", "60", "--deadline", "2", "ring"], ranks: 2, over: .tcp) {
        processes in
        if let process = processes[1] { kill(process, SIGSTOP) }
      }
      check(
        run,
        "rank 0 on host 'here': rank 0 waited 2 s for up to 8 bytes from rank 1 (tag 1); "
          + "rank 1 is stopped, overloaded or cut off")
    }

    @Test func aStoppedRankIsNoticedWhereNobodyWaitsForIt() throws {
      let run = try ProbeRun(["watch"], ranks: 4, over: .sharedMemory) { processes in
        if let process = processes[1] { kill(process, SIGSTOP) }
      }
      check(run, "rank 2 on host 'here': rank 1 has been silent for 5 s; it is stopped or cut off")
    }

    /// If the program that started mpirun is killed, its ranks do not outlive it.
    @Test func aKilledSupervisor() throws {
      try Fixtures.withTemporaryDirectory { folder in
        let hosts = folder.appendingPathComponent("hosts.yaml")
        try "hosts: [{name: localhost, slots: 2}]".write(to: hosts, atomically: true, encoding: .utf8)
        let launcher = Process()
        launcher.executableURL = URL(fileURLWithPath: ProbeRun.probe)
        launcher.arguments = ["launch", hosts.path, "2", "watch"]
        // A killed program cannot remove its own files.
        launcher.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": folder.path]) { $1 }
        let output = Pipe()
        launcher.standardOutput = output
        try launcher.run()
        var text = ""
        while text.count(where: \.isNewline) < 2 {
          let chunk = output.fileHandleForReading.availableData
          try #require(!chunk.isEmpty)
          text += String(decoding: chunk, as: UTF8.self)
        }
        let ranks = text.matches(of: /is process (\d+)/).compactMap { pid_t($0.1) }
        #expect(ranks.count == 2)
        kill(launcher.processIdentifier, SIGKILL)
        let end = ContinuousClock.now + .seconds(10)
        while ranks.contains(where: JobProcesses.isRunning) && ContinuousClock.now < end {
          Thread.sleep(forTimeInterval: 0.05)
        }
        #expect(!ranks.contains(where: JobProcesses.isRunning))
      }
    }

    @Test func aRankThatEndsOnItsOwn() throws {
      check(try ProbeRun(["quit"], ranks: 4, over: .tcp), "rank 3 on host 'here': ended with exit code 7")
    }

    @Test func aRankThatGivesUp() throws {
      let run = try ProbeRun(["sing"], ranks: 2, over: .sharedMemory)
      #expect(run.failure?.reason == "unknown mode 'sing'")
      #expect(run.failure?.exitCode == 3)
    }

    @Test func aJobSmallerThanItsLauncherSays() throws {
      // As if another MPI's launcher had started the ranks: each one finds itself alone.
      let process = Process()
      process.executableURL = URL(fileURLWithPath: ProbeRun.probe)
      process.arguments = ["check"]
      let errors = Pipe()
      process.standardError = errors
      process.environment = ProcessInfo.processInfo.environment.merging(
        ["SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4"]) { $1 }
      try process.run()
      let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 2)
      #expect(text.contains("the launcher started 4 ranks, but Open MPI 4 joined only 1; start with"))
    }
  }
}
