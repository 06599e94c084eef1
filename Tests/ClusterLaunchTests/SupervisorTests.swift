import ClusterLaunch
import Foundation
import InputErrors
import Testing

/// Jobs of shell commands, since mpirun starts any program.
@Suite(.serialized) struct SupervisorTests {
  private let environment = ProcessInfo.processInfo.environment

  private func supervisor(_ program: [String], ranks: Int = 2) throws -> Supervisor {
    let hosts = try Hosts(yaml: "hosts: [{name: here, address: localhost, slots: 4}]", file: "h")
    return try Supervisor(
      MPIRunCommand(hosts: hosts, ranks: ranks, program: program), environment: environment)
  }

  /// The lines of a job, and why it failed.
  private func run(_ script: String, ranks: Int = 2) throws -> (lines: [String], failure: JobFailure?) {
    var lines: [String] = []
    do {
      try supervisor(["/bin/sh", "-c", script], ranks: ranks).run { line, isError in
        lines.append((isError ? "error: " : "") + line)
      }
      return (lines.sorted(), nil)
    } catch let failure as JobFailure {
      return (lines.sorted(), failure)
    }
  }

  @Test func linesOfTheRanksArePassedOn() throws {
    let (lines, failure) = try run("echo $OMPI_COMM_WORLD_RANK; echo e$OMPI_COMM_WORLD_RANK >&2")
    #expect(lines == ["0", "1", "error: e0", "error: e1"])
    #expect(failure == nil)
    #expect(try run("printf 'no end'", ranks: 1).lines == ["no end"])
  }

  @Test func theRankThatEndsWithAnErrorIsNamed() throws {
    let (_, failure) = try run("[ $OMPI_COMM_WORLD_RANK = 1 ] && sleep 0.5 && exit 3; sleep 60")
    #expect(failure?.rank == 1)
    #expect(failure?.exitCode == 3)
    #expect(failure?.description == "rank 1 on host 'here': ended with exit code 3")
  }

  @Test func theRankThatIsKilledIsNamed() throws {
    let (_, failure) = try run("[ $OMPI_COMM_WORLD_RANK = 2 ] && sleep 0.5 && kill -9 $$; sleep 60", ranks: 3)
    #expect(failure?.rank == 2)
    #expect(failure?.description == "rank 2 on host 'here': was killed by signal 9 (Killed)")
  }

  @Test func theFirstRankThatGivesUpIsBelieved() throws {
    let (lines, failure) = try run(
      #"""
      [ $OMPI_COMM_WORLD_RANK = 1 ] && { echo '@abort {"rank":1,"message":"no memory"}' >&2; exit 4; }
      sleep 60
      """#)
    #expect(failure?.description == "rank 1 on host 'here': no memory")
    #expect(lines == [])
  }

  /// mpirun itself would wait forever.
  @Test func aJobIsEndedWhoseRanksGoOnAfterAFailure() throws {
    let clock = ContinuousClock()
    let start = clock.now
    let (_, failure) = try run(
      #"""
      trap '' TERM
      echo '@abort {"rank":0,"message":"done for"}' >&2
      while :; do sleep 1; done
      """#)
    #expect(failure?.description == "rank 0 on host 'here': done for")
    #expect(clock.now - start < .seconds(10))
  }

  @Test func aProgramThatIsNotThere() throws {
    let error = #expect(throws: JobFailure.self) {
      try supervisor(["/no/such/program"]).run { _, _ in }
    }
    let reason = try #require(error?.reason)
    #expect(reason.contains("unable to launch the specified application"))
    #expect(reason.contains("/no/such/program"))
  }

  @Test func aCancelledJobLeavesNothingBehind() throws {
    var processes: [pid_t] = []
    let error = #expect(throws: JobFailure.self) {
      // mpirun does not know the second process of each rank.
      try supervisor(["/bin/sh", "-c", "setsid sleep 600 & echo $$; echo $!; wait"]).run {
        processes.count == 4
      } onLine: { line, _ in
        if let process = pid_t(line) { processes.append(process) }
      }
    }
    #expect(error?.reason == "the job was cancelled")
    #expect(processes.count == 4)
    #expect(!processes.contains(where: JobProcesses.isRunning))
  }

  @Test func openMPIMustBeThere() throws {
    let hosts = try Hosts(yaml: "hosts: [{name: localhost}]", file: "h")
    let command = try MPIRunCommand(hosts: hosts, ranks: 1, program: ["x"])
    let error = #expect(throws: Refusal.self) {
      try Supervisor(command, environment: ["PATH": "/nowhere"])
    }
    #expect(error?.description == "mpirun is not in PATH; install Open MPI (on Debian: openmpi-bin)")
  }

  @Test func anotherMPIsLauncherIsRefused() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mpirun-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let other = folder.appendingPathComponent("mpirun")
    try "#!/bin/sh\necho HYDRA build details:\n".write(to: other, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: other.path)
    let hosts = try Hosts(yaml: "hosts: [{name: localhost}]", file: "h")
    let command = try MPIRunCommand(hosts: hosts, ranks: 1, program: ["x"])
    let error = #expect(throws: Refusal.self) {
      try Supervisor(command, environment: ["PATH": folder.path])
    }
    #expect(
      error?.description == "\(other.path) is not Open MPI's: HYDRA build details:; "
        + "install Open MPI (on Debian: openmpi-bin)")
  }
}
