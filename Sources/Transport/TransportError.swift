import Foundation
import InputErrors

/// Why a message was not delivered.
package enum TransportError: InputError, Equatable {
  /// A wait timed out. `peer` is the rank that was waited for.
  case timeout(rank: Int, waitingFor: String, peer: Int, after: Duration)
  /// The rank at the other end is gone.
  case peerLost(rank: Int, waitingFor: String, peer: Int, reason: String)
  /// A rank ended the job.
  case aborted(byRank: Int, message: String)
  /// A message cannot be what the sender should have sent: its length or its content is wrong.
  case invalidMessage(rank: Int, waitingFor: String, peer: Int, detail: String)
  /// The transport could not be started.
  case cannotStart(problem: String, remedy: String)

  /// One line: the rank, what it waited for and what is wrong.
  package var description: String {
    switch self {
    case .timeout(let rank, let what, let peer, let duration):
      "rank \(rank) waited \(Self.text(duration / .seconds(1))) s for \(what); rank \(peer) is stopped, overloaded or cut off"
    case .peerLost(let rank, let what, let peer, let reason):
      "rank \(rank) waited for \(what); rank \(peer) is gone: \(reason)"
    case .aborted(let rank, let message):
      AbortNotice(rank: rank, message: message).description
    case .invalidMessage(let rank, let what, _, let detail):
      "rank \(rank) waited for \(what); \(detail)"
    case .cannotStart(let problem, let remedy):
      "\(problem); \(remedy)"
    }
  }

  /// The rank at the other end, if it did not do its part.
  package var suspect: Int? {
    switch self {
    case .timeout(_, _, let peer, _), .peerLost(_, _, let peer, _): peer
    case .aborted, .invalidMessage, .cannotStart: nil
    }
  }

  private static func text(_ seconds: Double) -> String {
    seconds == seconds.rounded() && seconds < 1e9 ? "\(Int(seconds))" : "\(seconds)"
  }
}

/// What a rank says when it ends the job: to its supervisor if it has one, otherwise to people.
package struct AbortNotice: Codable, Sendable, Equatable, CustomStringConvertible {
  /// The rank that ended the job.
  package let rank: Int
  /// The rank to blame, if it is another one.
  package let suspect: Int?
  /// Why.
  package let message: String

  private static let mark = "@abort "

  /// Line breaks in the message become spaces.
  package init(rank: Int, suspect: Int? = nil, message: String) {
    (self.rank, self.suspect) = (rank, suspect)
    self.message = message.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  /// Parses a line of `line(forSupervisor:)`, which may begin or end with output that another rank was printing
  /// at that moment; `nil` for other lines.
  package init?(line: String) {
    guard let end = line.lastIndex(of: "}") else { return nil }
    let notices = line.ranges(of: Self.mark).lazy.filter { $0.upperBound < end }.compactMap { mark in
      try? JSONDecoder().decode(Self.self, from: Data(line[mark.upperBound...end].utf8))
    }
    guard let notice = notices.first, min(notice.rank, notice.suspect ?? 0) >= 0 else { return nil }
    self.init(rank: notice.rank, suspect: notice.suspect, message: notice.message)
  }

  /// The line to print: a mark and JSON for a supervisor, `description` for people.
  package func line(forSupervisor: Bool) -> String {
    guard forSupervisor, let json = try? JSONEncoder().encode(self) else { return description }
    return Self.mark + String(decoding: json, as: UTF8.self)
  }

  /// `rank 2 ended the job: MESSAGE`, or `rank 2 ended the job because of rank 1: MESSAGE`.
  package var description: String {
    "rank \(rank) ended the job" + (suspect.map { " because of rank \($0)" } ?? "") + ": \(message)"
  }
}
