import Datasets
import Foundation
import StrictJSON
import StrictYAML
import TaskGraph
import Workflows

/// Texts that people write.
enum TextBorders {
  static func json(_ bytes: [UInt8]) throws {
    let value = try bytes.withUnsafeBytes { (bytes) throws(JSONSyntaxError) in try JSONParser.parse(bytes) }
    _ = value["a"]?.string
    // What is accepted here, Foundation accepts too; it drops duplicate keys, which are refused here.
    if (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) == nil {
      fatalError("Foundation does not take it")
    }
  }

  static func yaml(_ bytes: [UInt8]) throws {
    let file = Scratch.file("file.yaml", bytes)
    let text = try StrictFields.text(ofFile: file.path, called: "a file in YAML")
    guard let node = try YAMLNode.parse(text, file: file.path) else { return }
    let line = text.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? ""
    _ = try node.overriding(line.contains("=") ? line : "a.b.0=\(line)", file: file.path)
  }

  static func workflow(_ bytes: [UInt8]) throws {
    let file = Scratch.file("workflow.yaml", bytes)
    let workflow = try Workflow(contentsOf: file.path)
    let canonical = workflow.canonicalYAML()
    mustEqual(
      try Workflow(yaml: canonical, file: file.path).canonicalYAML(), canonical, "a workflow's canonical text"
    )
    guard workflow.tasks.count < 50 else { return }
    _ = workflow.graph.mermaid(blocks: workflow.rankBlocks) + workflow.graph.dot(blocks: nil)
    _ = workflow.phaseSchedule.text() + workflow.phaseSchedule.json()
    _ = try workflow.applying(overrides: ["training.learningRate=1e-4"])
  }

  static func episodes(_ bytes: [UInt8]) throws {
    let file = Scratch.file("train.jsonl", bytes)
    _ = EpisodeFile.mistakes(in: file.path, limit: 3)
    let episodes = try EpisodeFile.read(file.path)
    let again = Scratch.folder.appendingPathComponent("again.jsonl").path
    try EpisodeFile.write(episodes, to: again)
    mustEqual(try EpisodeFile.read(again).count, episodes.count, "the number of episodes")
  }
}
