import Foundation

/// The links between the ranks of a job, as a JSON file that every rank reads.
///
/// ```json
/// {"sharedUplink": true, "links": [{"from": 0, "to": 1, "bandwidth": 12500000, "latency": 0.004}]}
/// ```
///
/// A link without `bandwidth` takes no time for its bytes; a pair that is not listed is not slowed down.
public struct LinkTable: Sendable, Hashable, Codable {
  /// The environment variable that names the file.
  public static let variable = "CONTEXTURE_LINKS"

  /// A directed link.
  public struct Link: Sendable, Hashable, Codable {
    /// The rank that sends.
    public let from: Int
    /// The rank that receives.
    public let to: Int
    /// Bytes per second; `nil` for a link whose bytes take no time.
    public let bandwidth: Double?
    /// Seconds.
    public let latency: Double

    /// A link from one rank to another.
    public init(from: Int, to: Int, bandwidth: Double? = nil, latency: Double = 0) {
      (self.from, self.to, self.bandwidth, self.latency) = (from, to, bandwidth, latency)
    }
  }

  /// Whether a rank's messages to different ranks wait for each other.
  public let sharedUplink: Bool
  /// The links, each pair once.
  public let links: [Link]

  /// A table.
  public init(links: [Link], sharedUplink: Bool) {
    (self.links, self.sharedUplink) = (links, sharedUplink)
  }

  /// Reads a file.
  public init(contentsOf path: String) throws(LinkTableError) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw LinkTableError(
        path: path, problem: "cannot be read", remedy: "check the path that \(Self.variable) names")
    }
    let remedy =
      #"write {"sharedUplink": true, "links": [{"from": 0, "to": 1, "bandwidth": 1e6, "latency": 0}]}"#
    do {
      self = try JSONDecoder().decode(Self.self, from: data)
    } catch {
      throw LinkTableError(path: path, problem: "is no table of links", remedy: remedy)
    }
    for (index, link) in links.enumerated() {
      guard link.bandwidth ?? 1 > 0, link.latency >= 0 else {
        throw LinkTableError(
          path: path, problem: "links.\(index): bandwidth must be above 0 and latency 0 or more",
          remedy: "use bytes per second and seconds")
      }
    }
  }

  /// The links that leave a rank.
  public func outgoing(from rank: Int) -> OutgoingLinks {
    let shapes = links.filter { $0.from == rank }.map { link in
      (link.to, LinkShape(bandwidth: link.bandwidth ?? .infinity, latency: link.latency))
    }
    return OutgoingLinks(Dictionary(shapes) { $1 }, sharedUplink: sharedUplink)
  }
}

/// Why a table of links was refused.
public struct LinkTableError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file.
  public let path: String
  /// What is wrong.
  public let problem: String
  /// What to do about it.
  public let remedy: String

  /// One line.
  public var description: String { "\(path): \(problem); \(remedy)" }
}
