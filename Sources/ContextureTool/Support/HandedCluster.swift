import ContextGear
import Foundation
import InputErrors

/// Passes the devices of a job from the launcher to the ranks in environment variables. The cluster file need
/// not be on other hosts, and after a failure there are fewer devices than in it.
enum HandedCluster {
  private static let variable = "CONTEXTURE_CLUSTER"
  /// Linux allows 128 KiB in one variable, including its name.
  private static let longest = 100_000

  private static func name(_ part: Int) -> String { part == 0 ? variable : "\(variable)_\(part)" }

  /// The variables, each without separators, because a launcher may split a value at them.
  static func variables(_ cluster: Cluster) throws -> [(name: String, value: String)] {
    let text = Array(try JSONEncoder().encode(cluster).base64EncodedData())
    return stride(from: 0, to: text.count, by: longest).enumerated().map { part, start in
      (name(part), String(decoding: text[start..<min(start + longest, text.count)], as: UTF8.self))
    }
  }

  /// Whether this program's launcher has started this process.
  static func isThere(_ environment: [String: String]) -> Bool { environment[variable] != nil }

  /// The devices passed on; `nil` if there are none.
  static func read(_ environment: [String: String]) throws -> Cluster? {
    guard var text = environment[variable] else { return nil }
    var part = 1
    while let more = environment[name(part)] {
      text += more
      part += 1
    }
    guard let data = Data(base64Encoded: text),
      let cluster = try? JSONDecoder().decode(Cluster.self, from: data)
    else {
      throw Refusal(
        variable, "was not written by this program's launcher",
        "remove the variable, or install the same build on every host")
    }
    return cluster
  }
}
