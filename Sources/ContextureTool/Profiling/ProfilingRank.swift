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
  /// Seconds that a rank is waited for: it may load a model or time a slow layer meanwhile.
  private let deadline = 600.0

  /// Joins the job, compares, measures, and hands the results on.
  func run() throws {
    let transport = try MPITransport(expectedSize: job.size, options: .ofAJob) { Console.complain($0) }
    let host = Self.hostName
    do {
      let weights = try agree(host, transport)
      let profile = try measure(weights, host, transport)
      if transport.rank == 0 { try deliver(profile) }
    } catch let refusal as JobRefusal {
      // Every rank has it; one says it.
      if transport.rank == 0 { Console.complain("contexture: \(refusal)") }
      try transport.close(seconds: deadline)
      throw ExitCode(ExitStatus.wrongInput)
    } catch {
      transport.abort("\(error)", code: 4)
      throw error
    }
    try transport.close(seconds: deadline)
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
    try agreement.confirm(over: transport, seconds: deadline)
    guard let weights else { preconditionFailure("a rank without a model agreed") }
    return weights
  }

  private func measure(
    _ weights: any WeightSource, _ host: String, _ transport: any Transport
  ) throws -> ClusterProfile {
    let own = try HostResources()
    let all: [HostResources] = try shared(own, transport)
    let share = HostResources.share(of: transport.rank, among: all)
    let device = CPUDevice(
      computeType: options.precision.computeType, workers: options.workers ?? share.workers)
    var profiler = DeviceProfiler()
    profiler.rank = options.loraRank
    if transport.size > 1 {
      profiler.between = { [deadline] in try Pending.exchange(transport, seconds: deadline) }
    }
    // A round has several periods of a processor quota.
    profiler.rounds = min(max(Int(options.seconds / 0.3), 3), 9)
    profiler.secondsPerRound = options.seconds / Double(profiler.rounds)
    if transport.rank == 0 { Console.noteEmulation(device.computeType) }
    let machines = Set(all.map(\.machine)).count
    try say(
      transport,
      "Measuring \(transport.size) ranks on \(machines) \(machines == 1 ? "machine" : "machines"), model "
        + options.model)
    let pending = Pending(transport)
    let total = profiler.work.count * profiler.rounds
    var done = 0
    let times = try profiler.measure(
      weights, on: device,
      before: { work in
        done += 1
        try say(transport, "  \(done)/\(total) \(work)")
        try transport.barrier(seconds: deadline)
      },
      others: all.count { $0.machine == own.machine } - 1, inTurn: inTurn(all.map(\.machine), transport))
    try pending?.end(seconds: deadline)
    let rank = RankProfile(
      host: host, machine: own.machine, workers: device.workerCount, memory: share.memory,
      precision: device.computeType.rawValue + (device.emulatesBFloat16 ? " emulated" : ""),
      valueBytes: device.weightType.size, times: times)
    return ClusterProfile(
      model: ModelShape(weights.configuration).signature, loraRank: profiler.rank,
      sequenceLength: profiler.sequenceLength, ranks: try shared(rank, transport),
      links: try measureLinks(transport))
  }

  /// Has the ranks of each machine do something one after the other; `nil` where every rank has its machine to itself.
  private func inTurn(
    _ machines: [String], _ transport: any Transport
  ) -> ((() throws -> [Double]) throws -> [Double])? {
    let turns = machines.indices.map { rank in machines[..<rank].count { $0 == machines[rank] } }
    guard let last = turns.max(), last > 0 else { return nil }
    return { [deadline] body in
      var result: [Double] = []
      for turn in 0...last {
        try transport.barrier(seconds: deadline)
        if turns[transport.rank] == turn { result = try body() }
      }
      try transport.barrier(seconds: deadline)
      return result
    }
  }

  /// Measures again where times did not grow with size: something else was in the way.
  private func measureLinks(_ transport: any Transport) throws -> [LinkMeasurement] {
    guard transport.size > 1 else { return [] }
    for attempt in 1...3 {
      try say(transport, attempt == 1 ? "  the links" : "  the links again")
      try transport.barrier(seconds: deadline)
      var profiler = LinkProfiler()
      profiler.deadline = deadline
      let links = try profiler.measure(over: transport)
      let isSound = links.allSatisfy { $0.fit != nil }
      if try transport.broadcast([isSound ? 1 : 0], seconds: deadline) == [1] { return links }
    }
    throw Refusal(
      "the links", "larger messages took no longer than small ones, in three attempts",
      "profile again while the network and the machines are otherwise idle")
  }

  /// Every rank's value, on every rank.
  private func shared<Value: Codable>(_ own: Value, _ transport: any Transport) throws -> [Value] {
    let all = try transport.gather(Array(JSONEncoder().encode(own)), seconds: deadline)
    let values = try all.map { try JSONDecoder().decode(Value.self, from: Data($0)) }
    let bytes = try transport.broadcast(Array(JSONEncoder().encode(values)), seconds: deadline)
    return try JSONDecoder().decode([Value].self, from: Data(bytes))
  }

  private func say(_ transport: any Transport, _ line: String) throws(OutputError) {
    if transport.rank == 0 { try Console.print(line) }
  }

  /// To the launcher that started the ranks; without one, to the file.
  private func deliver(_ profile: ClusterProfile) throws {
    if options.reportToLauncher {
      for line in try ProfileReport.lines(profile) { try Console.print(line) }
    } else {
      let (places, hosts) = try handStartedPlaces(profile.ranks.map(\.host))
      try options.finish(profile, places: places, hosts: hosts)
    }
  }

  /// Names and addresses where `mpirun` or `srun` was called by hand: from the hosts file, or the machines'
  /// own names.
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

/// A message that is awaited while the devices are timed: a stage always awaits some, and looking for them takes a
/// part of its processor's time.
private struct Pending {
  private static let tag = Tag(1)
  private let transport: any Transport
  private let receive: Transfer

  /// Awaits a message of the rank before; `nil` where there is no other.
  init?(_ transport: any Transport) {
    guard transport.size > 1 else { return nil }
    self.transport = transport
    receive = transport.receive(
      into: MessageBuffer(count: 1), from: (transport.rank + transport.size - 1) % transport.size,
      tag: Self.tag)
  }

  /// A message to this rank itself: it is waited for, sent and received as any other.
  static func exchange(_ transport: any Transport, seconds: Double) throws {
    let tag = Tag(2)
    let receive = transport.receive(into: MessageBuffer(count: 1), from: transport.rank, tag: tag)
    let send = transport.send(MessageBuffer(count: 1), to: transport.rank, tag: tag)
    try receive.wait(seconds: seconds)
    try send.wait(seconds: seconds)
  }

  /// Sends it to the next rank, and takes the own one.
  func end(seconds: Double) throws {
    let send = transport.send(
      MessageBuffer(count: 1), to: (transport.rank + 1) % transport.size, tag: Self.tag)
    try receive.wait(seconds: seconds)
    try send.wait(seconds: seconds)
  }
}

extension JobAgreement.Fact {
  /// The version and the bytes of the running program.
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
