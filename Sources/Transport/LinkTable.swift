import Foundation
import InputErrors
import SafeFiles

/// The links between the ranks of a job, as a JSON file that every rank reads.
///
/// ```json
/// {"sharedUplink": true, "links": [{"from": 0, "to": 1, "bandwidth": 12500000, "latency": 0.004}]}
/// ```
///
/// On a link without `bandwidth`, the bytes take no time; a pair that is not listed is not slowed down.
package struct LinkTable: Sendable, Hashable, Codable {
  /// The environment variable that names the file.
  package static let variable = "CONTEXTURE_LINKS"

  /// A directed link.
  package struct Link: Sendable, Hashable, Codable {
    /// The rank that sends.
    package let from: Int
    /// The rank that receives.
    package let to: Int
    /// Bytes per second; `nil` if the bytes take no time.
    package let bandwidth: Double?
    /// Latency in seconds.
    package let latency: Double

    package init(from: Int, to: Int, bandwidth: Double? = nil, latency: Double = 0) {
      (self.from, self.to, self.bandwidth, self.latency) = (from, to, bandwidth, latency)
    }
  }

  /// Whether a rank's messages to different ranks wait for each other.
  package let sharedUplink: Bool
  /// The links, each pair once.
  package let links: [Link]

  package init(links: [Link], sharedUplink: Bool) {
    (self.links, self.sharedUplink) = (links, sharedUplink)
  }

  /// Reads a file.
  package init(contentsOf path: String) throws(Refusal) {
    let data: Data
    do { data = try FileContents.read(URL(fileURLWithPath: path)) } catch {
      let isMissing = error.kind == .missing
      throw Refusal(
        path, isMissing ? "cannot be read" : error.problem,
        isMissing ? "check the path that \(Self.variable) names" : error.remedy)
    }
    let remedy =
      #"write {"sharedUplink": true, "links": [{"from": 0, "to": 1, "bandwidth": 1e6, "latency": 0}]}"#
    do {
      self = try JSONDecoder().decode(Self.self, from: data)
    } catch {
      throw Refusal(path, "is not a table of links", remedy)
    }
    for (index, link) in links.enumerated() {
      guard link.bandwidth ?? 1 > 0, link.latency >= 0 else {
        throw Refusal(
          path, "links.\(index): bandwidth must be above 0 and latency 0 or more",
          "use bytes per second and seconds")
      }
    }
  }

  /// The links that leave a rank.
  package func outgoing(from rank: Int) -> OutgoingLinks {
    let shapes = links.filter { $0.from == rank }.map { link in
      (link.to, LinkShape(bandwidth: link.bandwidth ?? .infinity, latency: link.latency))
    }
    return OutgoingLinks(Dictionary(shapes) { $1 }, sharedUplink: sharedUplink)
  }
}
