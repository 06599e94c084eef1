import ContextGear
import Foundation

/// The devices of a job on their way from the launcher to the ranks, in a variable: the cluster file need not
/// lie on other hosts, and after a failure there are fewer devices than in it.
enum HandedCluster {
  static let variable = "CONTEXTURE_CLUSTER"

  /// As one word, because a launcher may split a value at its separators.
  static func text(_ cluster: Cluster) throws -> String {
    try JSONEncoder().encode(cluster).base64EncodedString()
  }

  /// `nil` where nothing was handed on.
  static func read(_ environment: [String: String]) throws -> Cluster? {
    guard let text = environment[variable] else { return nil }
    guard let data = Data(base64Encoded: text),
      let cluster = try? JSONDecoder().decode(Cluster.self, from: data)
    else {
      throw InputError(
        place: variable, problem: "is not what this program's launcher writes",
        remedy: "remove the variable, or install the same build on every host")
    }
    return cluster
  }
}
