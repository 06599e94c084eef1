import Foundation
import Testing

extension ClusterJobs {
  /// Ranks that die, stop, or are asked to stop while they train. Part of `make test-all`.
  @Suite(.serialized, .enabled(if: RunningTraining.faultsAreWanted)) struct ClusterFaultTests {
    /// Long enough to be interrupted at any moment.
    static let settings = ["training.epochs=20", "training.checkpointEvery=8"]

    /// A project with an undisturbed run in `whole`.
    static func withWholeRun(
      devices: Int, _ settings: [String] = settings, _ body: (ClusterProject) throws -> Void
    ) throws {
      try ClusterProject.with(devices: devices) { here in
        #expect(try here.train("whole", settings).status == 0)
        try body(here)
      }
    }

    static func start(
      _ here: ClusterProject, _ out: String, _ settings: [String] = settings,
      _ options: [String] = ClusterProject.exact
    ) throws -> RunningTraining {
      try RunningTraining(here, ClusterProject.arguments(out, settings, options), out: out)
    }

    /// Checks that the job has ended with a failure that names the rank, and that it resumes to the result of
    /// the undisturbed run.
    static func expectFailure(
      _ training: RunningTraining, _ here: ClusterProject, _ out: String, _ settings: [String] = settings,
      names: [String]
    ) throws {
      let (outcome, seconds, left) = try training.end()
      #expect(outcome.status == 4, "\(outcome)")
      let said = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("contexture: ") }
      #expect(said.count == 1, "\(outcome.errors)")
      #expect(names.contains { said.first?.contains($0) == true }, "\(outcome.errors)")
      #expect(said.first?.hasSuffix("; resume from the last checkpoint with --resume") == true)
      #expect(seconds < RunningTraining.limit)
      #expect(left == [])
      let resumed = try here.train(out, settings, ClusterProject.exact + ["--resume"])
      #expect(resumed.status == 0, "\(resumed)")
      #expect(here.isSame(out, "whole") && here.isSame(out, "whole", file: "checkpoint.safetensors"))
      #expect(try here.records(out) == here.records("whole"))
    }

    @Test(arguments: [3]) func aKilledRank(ranks: Int) throws {
      try Self.withWholeRun(devices: ranks) { here in
        for (rank, steps) in [
          (0, 1), (1, 1), (2, 1), (0, 30), (1, 47), (2, 100), (0, 170), (1, 171), (2, 172),
        ] {
          let out = "rank\(rank)-\(steps)"
          let training = try Self.start(here, out)
          try training.wait(forSteps: steps)
          try training.kill(rank)
          try Self.expectFailure(training, here, out, names: ["rank \(rank) "])
        }
      }
    }

    /// With a checkpoint after every step, checkpoints take most of the time.
    @Test func aRankKilledWhileCheckpointsAreMade() throws {
      let settings = ["training.epochs=10", "training.checkpointEvery=1"]
      try Self.withWholeRun(devices: 4, settings) { here in
        for (index, rank) in [0, 3, 1, 0, 2, 0].enumerated() {
          let out = "run\(index)"
          let training = try Self.start(here, out, settings)
          try training.wait(forSteps: 5 + 13 * index)
          try training.kill(rank)
          try Self.expectFailure(training, here, out, settings, names: ["rank \(rank) "])
        }
      }
    }

    @Test(arguments: [0, 1, 2]) func aStoppedRank(rank: Int) throws {
      try Self.withWholeRun(devices: 3) { here in
        let training = try Self.start(here, "run")
        try training.wait(forSteps: 20)
        try training.kill(rank, SIGSTOP)
        try Self.expectFailure(training, here, "run", names: ["rank \(rank) has been silent"])
      }
    }

    /// This program's launcher, which knows the meaning of a silent rank, is not involved.
    @Test func aStoppedRankOfAJobThatMpirunHasStarted() throws {
      try ClusterProject.with(devices: 3) { here in
        let training = try RunningTraining(
          here, ClusterProject.arguments("run", Self.settings, ClusterProject.exact), out: "run",
          under: try here.writeLauncher(#"-np 3 "$@""#))
        try training.wait(forSteps: 20)
        try training.kill(1, SIGSTOP)
        let (outcome, seconds, left) = try training.end()
        #expect(outcome.status == 4 && left == [], "\(outcome)")
        #expect(outcome.errors.contains("rank 1 has been silent"), "\(outcome.errors)")
        #expect(seconds < RunningTraining.limit)
      }
    }

    @Test(arguments: [SIGINT, SIGTERM]) func aRunThatIsAskedToStop(number: Int32) throws {
      try Self.withWholeRun(devices: 3) { here in
        let training = try Self.start(here, "run")
        try training.wait(forSteps: 20)
        training.signal(number)
        let (outcome, _, left) = try training.end()
        #expect(outcome.status == 3 && left == [], "\(outcome)")
        #expect(outcome.errors == "\nStopping at the next checkpoint; interrupt again to stop at once.\n")
        let steps = try here.records("run").count
        #expect(steps % 8 == 0 && steps < 210, "\(steps)")
        // The printed command resumes the run, pasted as it is.
        let command = try #require(outcome.output.firstMatch(of: /To resume:\n  contexture (.*)\n/)).1
        let resumed = try Program.run(
          [], in: here.project.folder, under: ["/bin/sh", "-c", "exec \"$0\" \(command)"])
        #expect(resumed.status == 0, "\(resumed)")
        #expect(resumed.output.contains("Resuming after step \(steps)"))
        #expect(here.isSame("run", "whole"))
      }
    }

    /// Also before the ranks have started.
    @Test func aRunThatIsAskedToStopAtOnce() throws {
      try ClusterProject.with(devices: 3) { here in
        let training = try Self.start(here, "run")
        try training.wait(for: "first rank") { !training.ranks().isEmpty }
        training.signal(SIGINT)
        let (outcome, _, left) = try training.end()
        #expect(outcome.status == 3 && left == [], "\(outcome)")
        #expect(try here.records("run").count == 8)
      }
    }

    @Test func aSecondSignalEndsItAtOnce() throws {
      try Self.withWholeRun(devices: 3) { here in
        let training = try Self.start(here, "run", Self.settings + ["training.checkpointEvery=100000"])
        try training.wait(forSteps: 20)
        training.signal(SIGINT)
        Thread.sleep(forTimeInterval: 0.2)
        training.signal(SIGINT)
        let (outcome, seconds, left) = try training.end()
        #expect(outcome.status == 130 && left == [], "\(outcome)")
        #expect(seconds < RunningTraining.limit)
      }
    }
  }
}
