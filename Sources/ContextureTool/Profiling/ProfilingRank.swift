import ArgumentParser
import Checkpoint
import ClusterLaunch
import ContextGear
import DeviceProfiling
import Foundation
import Glibc
import InputErrors
import MPITransport
import Runs
import SafeFiles
import Tensor
import Transport

/// One rank of `cluster profile`.
struct ProfilingRank {
  let options: ClusterProfileCommand
  let job: JobEnvironment
  /// Timeout for a rank: it may load a model or time a slow layer meanwhile.
  private let timeout = Duration.seconds(600)

  /// Joins the job, compares, measures, and delivers the results.
  func run() throws {
    let transport = try MPITransport(expectedSize: job.size, options: .ofAJob) { Console.complain($0) }
    let host = Self.hostName
    do {
      let weights = try agree(host, transport)
      var profiler = ClusterProfiler(transport, host: host, timeout: timeout)
      (profiler.rank, profiler.seconds) = (options.loraRank, options.seconds)
      (profiler.computeType, profiler.workers) = (options.precision.computeType, options.workers)
      if transport.rank == 0 {
        Console.noteEmulation(options.precision.computeType ?? CPUDevice.fastestType)
        profiler.report = { try Console.report($0) }
      }
      let profile = try profiler.measure(
        weights, named: options.model, signature: ModelShape(weights.configuration).signature)
      if transport.rank == 0 { try deliver(profile) }
    } catch let refusal as JobRefusal {
      // Every rank has this refusal; one reports it.
      if transport.rank == 0 { Console.complain(inOneLine: "contexture: \(refusal)") }
      try transport.close(timeout: timeout)
      throw ExitCode(ExitStatus.wrongInput)
    } catch {
      transport.abort("\(error)", code: 4)
      throw error
    }
    try transport.close(timeout: timeout)
  }

  /// Opens the model, once all ranks have the same program and the same model.
  private func agree(_ host: String, _ transport: any Transport) throws -> any WeightSource {
    var weights: (any WeightSource)?
    var agreement: JobAgreement
    do {
      if transport.rank == 0, !options.reportToLauncher {
        try options.checkOutput()
        _ = try handStartedPlaces(Array(repeating: host, count: transport.size))
      }
      let opened = try ModelFiles.open(
        try ModelLocation(options.model, models: options.models.models).path
      ).weights
      agreement = JobAgreement(host: host, facts: [try .program, try .model(opened)])
      weights = opened
    } catch {
      agreement = JobAgreement(host: host, problem: "\(error)")
    }
    try agreement.confirm(over: transport, timeout: timeout)
    guard let weights else { preconditionFailure("a rank without a model agreed") }
    return weights
  }

  /// Delivers the results to the launcher that started the ranks or, if there is none, to the file.
  private func deliver(_ profile: ClusterProfile) throws {
    if options.reportToLauncher {
      for line in try ProfileReport.lines(profile) { try Console.print(line) }
    } else {
      let (places, hosts) = try handStartedPlaces(profile.ranks.map(\.host))
      try options.finish(profile, places: places, hosts: hosts)
    }
  }

  /// Names and addresses if `mpirun` or `srun` was called by hand: from the hosts file, or the machines' own
  /// names.
  private func handStartedPlaces(_ names: [String]) throws -> ([Hosts.Place], Hosts?) {
    guard let path = options.hosts else { return (ProfiledPlaces.places(machines: names), nil) }
    let hosts = try Hosts(contentsOf: path)
    guard hosts.slots >= names.count, options.ranks ?? names.count == names.count else {
      throw Refusal(
        path,
        "\(job.launcher.rawValue) started \(names.count) ranks, not \(options.ranks ?? hosts.slots)",
        "start one rank per slot, or do not use \(job.launcher.rawValue)")
    }
    return (try ProfiledPlaces.places(hosts, ranks: names.count), hosts)
  }

  private static var hostName: String {
    var name = [UInt8](repeating: 0, count: 256)
    _ = name.withUnsafeMutableBytes { bytes in
      bytes.bindMemory(to: CChar.self).baseAddress.map { gethostname($0, bytes.count - 1) }
    }
    return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
  }
}

extension JobAgreement.Fact {
  /// The version and a checksum of the running program.
  static var program: JobAgreement.Fact {
    get throws {
      let sum = try FileChecksum.sha256(of: URL(fileURLWithPath: "/proc/self/exe"))
      return JobAgreement.Fact(
        "the program", "contexture \(Contexture.version) (SHA-256 \(sum.prefix(16)))",
        remedy: "put the same build on every host")
    }
  }

  /// The model's configuration and a sample of its weights.
  static func model(_ weights: any WeightSource) throws -> JobAgreement.Fact {
    JobAgreement.Fact(
      "the model", "\(try ModelIdentity.of(weights).prefix(16))", remedy: "put the same model on every host")
  }
}
