import Foundation
import Transport

/// Lets the ranks of a job start only when each can, and all with the same things: one error from rank 0
/// instead of many.
struct StartAgreement {
  private let transport: any Transport
  private let deadline: Double

  init(_ transport: any Transport, deadline: Double) {
    (self.transport, self.deadline) = (transport, deadline)
  }

  private struct Answer: Codable {
    var problem: String?
    var names: [String] = []
    var values: [String] = []
    var host = ""
  }

  /// Does this rank's preparation and compares what it found with the others.
  ///
  /// - Throws: on rank 0 its own error, or one that names the ranks that differ or cannot start; elsewhere
  ///   `PeerRefused`.
  func settle(_ prepare: () throws -> [(name: String, value: String)]) throws {
    var own = Answer(host: ProcessInfo.processInfo.hostName)
    var failure: (any Error)?
    do {
      let found = try prepare()
      (own.names, own.values) = (found.map(\.name), found.map(\.value))
    } catch {
      failure = error
      own.problem = "\(error)"
    }
    let answers = try transport.gather(Array(JSONEncoder().encode(own)), seconds: deadline)
    var problem = failure
    if transport.rank == 0, problem == nil {
      problem = try Self.problem(
        try answers.map { try JSONDecoder().decode(Answer.self, from: Data($0)) })
    }
    let isRefused = transport.rank == 0 && problem != nil
    let verdict = try transport.broadcast([isRefused ? 1 : 0], seconds: deadline)
    guard verdict == [1] else { return }
    throw transport.rank == 0 ? problem ?? PeerRefused() : PeerRefused()
  }

  private static func problem(_ answers: [Answer]) throws -> RunError? {
    for (rank, answer) in answers.enumerated() {
      if let problem = answer.problem {
        return RunError("rank \(rank) on \(answer.host)", "cannot start", problem)
      }
      for (index, name) in answer.names.enumerated() where answer.values[index] != answers[0].values[index] {
        let ranks = answers.indices.filter { answers[$0].values[index] != answers[0].values[index] }
        return RunError(
          "rank \(ranks.map(String.init).joined(separator: ", ")) on \(answer.host)",
          "has another \(name) than rank 0 on \(answers[0].host)",
          "copy the same files and the same program to every host")
      }
    }
    return nil
  }
}

/// Another rank cannot start; rank 0 says why.
public struct PeerRefused: Error {}
