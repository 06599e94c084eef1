import ContextGear
import Foundation
import InputErrors

/// The devices of a job on their way from the launcher to the ranks, in variables: the cluster file need not
/// lie on other hosts, and after a failure there are fewer devices than in it.
enum HandedCluster {
  private static let variable = "CONTEXTURE_CLUSTER"
  /// Linux takes 128 KiB in one variable, its name included.
  private static let longest = 100_000

  private static func name(_ part: Int) -> String { part == 0 ? variable : "\(variable)_\(part)" }

  /// The variables, each one word, because a launcher may split a value at its separators.
  static func variables(_ cluster: Cluster) throws -> [(name: String, value: String)] {
    let text = Array(try JSONEncoder().encode(cluster).base64EncodedData())
    return stride(from: 0, to: text.count, by: longest).enumerated().map { part, start in
      (name(part), String(decoding: text[start..<min(start + longest, text.count)], as: UTF8.self))
    }
  }

  /// `nil` where nothing was handed on.
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
