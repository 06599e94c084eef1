import Foundation
import InputErrors

/// What a rank reports about itself before the work starts. All ranks must agree: two builds of a program, or
/// two models of the same name, would fail much later or give wrong numbers.
package struct JobAgreement: Sendable, Hashable, Codable {
  /// A fact that must be the same on all ranks.
  package struct Fact: Sendable, Hashable, Codable {
    /// Its name, as in `the model`.
    package var name: String
    /// This rank's value.
    package var value: String
    /// What to do if ranks differ.
    package var remedy: String

    package init(_ name: String, _ value: String, remedy: String) {
      self.name = name
      self.value = value
      self.remedy = remedy
    }
  }

  /// The machine's name, for messages.
  package var host: String
  /// The facts, in the same order on every rank.
  package var facts: [Fact]
  /// Why this rank cannot take part, and what to do. If set, its facts do not count.
  package var problem: String?

  /// A rank that can take part.
  package init(host: String, facts: [Fact]) { (self.host, self.facts) = (host, facts) }

  /// A rank that cannot take part.
  package init(host: String, problem: String) {
    (self.host, self.facts, self.problem) = (host, [], problem)
  }

  /// Compares all ranks. Every rank calls this.
  ///
  /// - Parameters:
  ///   - transport: connects the ranks.
  ///   - timeout: that of each wait.
  /// - Throws: the same `JobRefusal` on every rank if a rank cannot take part or differs from rank 0; the
  ///   transport's errors.
  package func confirm(over transport: any Transport, timeout: Duration) throws {
    let all = try transport.gather(self, as: "its facts", timeout: timeout)
    let verdict = transport.rank == 0 ? Self.disagreement(all) : nil
    let text = String(
      decoding: try transport.broadcast(Array((verdict ?? "").utf8), timeout: timeout), as: UTF8.self)
    if !text.isEmpty { throw JobRefusal(description: text) }
  }

  /// The message about what keeps the ranks from working together; `nil` if they agree.
  package static func disagreement(_ ranks: [JobAgreement]) -> String? {
    func names(_ places: [Int]) -> String {
      places.map { "rank \($0) on host '\(ranks[$0].host)'" }.joined(separator: ", ")
    }
    if let problem = ranks.compactMap(\.problem).first {
      let places = ranks.indices.filter { ranks[$0].problem == problem }
      return places.count == ranks.count ? problem : "\(names(places)): \(problem)"
    }
    for (index, fact) in (ranks.first?.facts ?? []).enumerated() {
      let others = ranks.indices.filter { ranks[$0].facts.dropFirst(index).first != fact }
      guard let first = others.first else { continue }
      let value = ranks[first].facts.dropFirst(index).first?.value ?? "unknown"
      return "\(names(others)): \(fact.name) is \(value), but \(fact.value) for \(names([0])); \(fact.remedy)"
    }
    return nil
  }
}

/// Why the ranks of a job do not start work: which ranks, what is wrong and what to do.
package struct JobRefusal: InputError, Equatable {
  package let description: String
}
