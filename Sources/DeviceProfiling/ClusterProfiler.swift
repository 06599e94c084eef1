import Checkpoint
import ContextGear
import Foundation
import InputErrors
import LanguageModels
import Tensor
import Transport

/// Measures the devices and links of a job's ranks.
package struct ClusterProfiler {
  private let transport: any Transport
  private let host: String
  /// Seconds that a rank is waited for: it may load a model or time a slow layer meanwhile.
  private let timeout: Duration
  /// The rank columns of the timed adapter.
  package var rank = 16
  /// Seconds per piece of work.
  package var seconds = 2.0
  /// The number format; `nil` for the fastest one.
  package var computeType: ElementType?
  /// Threads of this rank; `nil` for its share of the machine.
  package var workers: Int?
  /// Receives lines on the progress.
  package var report: (String) throws -> Void = { _ in }

  package init(_ transport: any Transport, host: String, timeout: Duration) {
    (self.transport, self.host, self.timeout) = (transport, host, timeout)
  }

  /// Measures every rank's device, beside the machine's other ranks and alone, and the links between them. Every rank
  /// calls it.
  ///
  /// - Parameters:
  ///   - name: the model's name, for the report.
  ///   - signature: the model's sizes.
  /// - Returns: on every rank the whole profile.
  /// - Throws: the transport's errors, what `report` and the model's file throw, and `Refusal` if links cannot be measured.
  package func measure(
    _ weights: any WeightSource, named name: String, signature: String
  ) throws -> ClusterProfile {
    let own = try HostResources()
    let all: [HostResources] = try shared(own)
    let share = HostResources.share(of: transport.rank, among: all)
    let device = CPUDevice(computeType: computeType, workers: workers ?? share.workers)
    var profiler = DeviceProfiler()
    profiler.rank = rank
    if transport.size > 1 {
      profiler.between = { [timeout, transport] in try Pending.exchange(transport, timeout: timeout) }
    }
    // A round has several periods of a processor quota.
    profiler.rounds = min(max(Int(seconds / 0.3), 3), 9)
    profiler.secondsPerRound = seconds / Double(profiler.rounds)
    let machines = Set(all.map(\.machine)).count
    try report(
      "Measuring \(transport.size) ranks on \(machines) \(machines == 1 ? "machine" : "machines"), model "
        + name)
    let pending = Pending(transport)
    let total = profiler.work.count * profiler.rounds
    var done = 0
    let times = try profiler.measure(
      weights, on: device,
      before: { work in
        done += 1
        try report("  \(done)/\(total) \(work)")
        try transport.barrier(timeout: timeout)
      },
      others: all.count { $0.machine == own.machine } - 1, inTurn: inTurn(all.map(\.machine)))
    try pending?.end(timeout: timeout)
    let profile = RankProfile(
      host: host, machine: own.machine, workers: device.workerCount, memory: share.memory,
      precision: device.computeType.rawValue + (device.emulatesBFloat16 ? " emulated" : ""),
      valueBytes: device.weightType.size, times: times)
    return ClusterProfile(
      model: signature, loraRank: profiler.rank,
      sequenceLength: profiler.sequenceLength, ranks: try shared(profile),
      links: try measureLinks())
  }

  /// Has the ranks of each machine do something one after the other; `nil` where every rank has its machine to itself.
  private func inTurn(
    _ machines: [String]
  ) -> ((() throws -> [Double]) throws -> [Double])? {
    let turns = machines.indices.map { rank in machines[..<rank].count { $0 == machines[rank] } }
    guard let last = turns.max(), last > 0 else { return nil }
    return { [timeout, transport] body in
      var result: [Double] = []
      for turn in 0...last {
        try transport.barrier(timeout: timeout)
        if turns[transport.rank] == turn { result = try body() }
      }
      try transport.barrier(timeout: timeout)
      return result
    }
  }

  /// Measures again where times did not grow with size: something else was in the way.
  private func measureLinks() throws -> [LinkMeasurement] {
    guard transport.size > 1 else { return [] }
    for attempt in 1...3 {
      try report(attempt == 1 ? "  the links" : "  the links again")
      try transport.barrier(timeout: timeout)
      var profiler = LinkProfiler()
      profiler.timeout = timeout
      let links = try profiler.measure(over: transport)
      let isSound = links.allSatisfy { $0.fit != nil }
      if try transport.broadcast([isSound ? 1 : 0], timeout: timeout) == [1] { return links }
    }
    throw Refusal(
      "the links", "larger messages took no longer than small ones, in three attempts",
      "profile again while the network and the machines are otherwise idle")
  }

  /// Every rank's value, on every rank.
  private func shared<Value: Codable>(_ own: Value) throws -> [Value] {
    let all = try transport.gather(own, as: "its profile", timeout: timeout)
    let shared = try transport.broadcast(all, as: "the profiles", timeout: timeout)
    guard shared.count == transport.size else {
      throw transport.invalid(
        "the profiles", from: 0, "there are \(shared.count) for \(transport.size) ranks")
    }
    return shared
  }
}

/// A message that is awaited while the devices are timed: a stage always awaits some, and looking for them takes a
/// part of its processor's time.
private struct Pending {
  private static let tag = Tag(1)
  private let transport: any Transport
  private let receive: Transfer

  /// Awaits a message from the previous rank; `nil` if there is only one rank.
  init?(_ transport: any Transport) {
    guard transport.size > 1 else { return nil }
    self.transport = transport
    receive = transport.receive(
      into: MessageBuffer(count: 1), from: (transport.rank + transport.size - 1) % transport.size,
      tag: Self.tag)
  }

  /// A message to this rank itself: it is waited for, sent and received as any other.
  static func exchange(_ transport: any Transport, timeout: Duration) throws {
    let tag = Tag(2)
    let receive = transport.receive(into: MessageBuffer(count: 1), from: transport.rank, tag: tag)
    let send = transport.send(MessageBuffer(count: 1), to: transport.rank, tag: tag)
    try receive.wait(timeout: timeout)
    try send.wait(timeout: timeout)
  }

  /// Sends it to the next rank, and takes the own one.
  func end(timeout: Duration) throws {
    let send = transport.send(
      MessageBuffer(count: 1), to: (transport.rank + 1) % transport.size, tag: Self.tag)
    try receive.wait(timeout: timeout)
    try send.wait(timeout: timeout)
  }
}
