import ClusterEmulation
import ClusterLaunch
import ContextGear
import Foundation
import StrictYAML
import Transport

/// The files about several machines, and what their processes print.
enum ClusterBorders {
  static func plan(_ bytes: [UInt8]) throws {
    let plan = try WorkflowPlan(contentsOf: Scratch.file("plan.json", bytes).path)
    _ = plan.text
    _ = try plan.json()
  }

  /// The first byte chooses the kind of file.
  static func cluster(_ bytes: [UInt8]) throws {
    guard let kind = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    switch kind {
    case UInt8(ascii: "c"):
      let path = Scratch.file("cluster.yaml", rest).path
      let cluster = try Cluster(contentsOf: path)
      let text = try cluster.yaml()
      mustEqual(try Cluster(yaml: text, file: path), cluster, "a cluster")
      guard cluster.devices.count <= 4 else { return }
      let shape = ModelShape(
        layers: 3, hidden: 8, heads: 2, keyValueHeads: 1, headDimension: 4, feedForward: 16, vocabulary: 32,
        rank: 4)
      let pass = Workload.Pass(task: "a", tokens: 8, labels: 1)
      _ = try? Planner(cluster, shape: shape).plan(
        Workload(forwardOnly: [pass], trained: pass, samples: 2, trainedColumns: 2))
    case UInt8(ascii: "h"): _ = try Hosts(contentsOf: Scratch.file("hosts.yaml", rest).path)
    case UInt8(ascii: "s"):
      let shape = try ModelShape(contentsOf: Scratch.file("shape.yaml", rest).path)
      _ = (shape.layerBytes, shape.embeddingBytes, shape.activationBytes, shape.columnValues)
    case UInt8(ascii: "e"): _ = try EmulatedCluster(contentsOf: Scratch.file("emulated.yaml", rest).path)
    case UInt8(ascii: "l"):
      let table = try LinkTable(contentsOf: Scratch.file("links.json", rest).path)
      for rank in 0..<4 { _ = table.outgoing(from: rank) }
    default: break
    }
  }

  static func output(_ bytes: [UInt8]) throws {
    let hosts = try Hosts([
      Hosts.Host(name: "a", address: "10.0.0.1", slots: 2), Hosts.Host(name: "b", address: "10.0.0.2"),
    ])
    var report = MPIRunReport()
    let text = String(decoding: bytes, as: UTF8.self)
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      _ = report.take(String(line), isError: true)
    }
    _ = report.failure(exitCode: 1, hosts: hosts).description
    let facts = text.split(separator: "\n").map { JobAgreement.Fact("a line", String($0), remedy: "none") }
    _ = JobAgreement.disagreement([
      JobAgreement(host: "a", facts: facts), JobAgreement(host: "b", facts: facts.reversed()),
    ])
  }
}
