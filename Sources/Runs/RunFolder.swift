import Checkpoint
import Foundation
import InputErrors
import SafeFiles
import Tensor
import Workflows

/// What a run folder holds.
///
/// | file | content |
/// |---|---|
/// | `run.json` | which workflow, model and data the run belongs to |
/// | `workflow.yaml` | the workflow with every setting, as it was trained |
/// | `metrics.jsonl` | one line an optimiser step |
/// | `warnings.jsonl` | phases that failed in a way that no step shows |
/// | `decisions.jsonl` | with `frozenRatio: adaptive`, why which columns froze |
/// | `checkpoint.safetensors` | everything needed to go on |
/// | `plan.json` | the plan it was last trained by, where several devices trained it |
/// | `figures.jsonl` | over several devices: per phase and rank, step time, waiting and bytes, planned and measured |
/// | `adapter.safetensors` | the trained adapter; there when training is done |
/// | `export/` | what `contexture export` writes where no other place is named |
package struct RunFolder: Sendable {
  /// The folder.
  package let url: URL

  /// A folder that need not exist yet.
  package init(_ path: String) { url = URL(fileURLWithPath: path, isDirectory: true) }

  /// See the type's table.
  package var workflow: URL { url.appendingPathComponent("workflow.yaml") }
  /// See the type's table.
  package var manifest: URL { url.appendingPathComponent("run.json") }
  /// See the type's table.
  package var metrics: URL { url.appendingPathComponent("metrics.jsonl") }
  /// See the type's table.
  package var figures: URL { url.appendingPathComponent("figures.jsonl") }
  /// See the type's table.
  package var decisions: URL { url.appendingPathComponent("decisions.jsonl") }
  /// See the type's table.
  package var warnings: URL { url.appendingPathComponent("warnings.jsonl") }
  /// See the type's table.
  package var checkpoint: URL { url.appendingPathComponent("checkpoint.safetensors") }
  /// Whether there is something to go on from.
  package var hasCheckpoint: Bool { FileManager.default.fileExists(atPath: checkpoint.path) }
  /// Whether a run has begun here.
  package var hasBegun: Bool { FileManager.default.fileExists(atPath: manifest.path) }
  /// See the type's table.
  package var adapter: URL { url.appendingPathComponent("adapter.safetensors") }

  /// What a run belongs to.
  package struct Manifest: Codable, Sendable, Equatable {
    /// The format of the folder.
    package var format = 1
    /// The model as the workflow names it.
    package var model: String
    /// Where its files were.
    package var modelPath: String
    /// Identifies the model's configuration and weights.
    package var modelIdentity: String
    /// Where the data was.
    package var dataPath: String
    /// The SHA-256 of the workflow with every setting.
    package var workflowIdentity: String
    /// The SHA-256 of the training data.
    package var dataIdentity: String
    /// The SHA-256 of the validation data; `nil` where training does not look at it.
    package var validationIdentity: String?
    /// float32 or bfloat16.
    package var precision: String
  }

  /// - Throws: `Refusal` where the folder is no run.
  package func readManifest() throws -> Manifest {
    guard let data = try? Data(contentsOf: manifest) else {
      throw Refusal(
        url.path, "is not a run: it has no run.json", "give a folder that 'contexture train --out' created")
    }
    guard let manifest = try? JSONDecoder().decode(Manifest.self, from: data), manifest.format == 1 else {
      throw Refusal(manifest.path, "is damaged or of another version", "train again into a new folder")
    }
    return manifest
  }

  /// The number format that the run was begun in: it goes on in the same, whatever this processor does fast.
  ///
  /// - Throws: `Refusal` where the folder is no run.
  func computeType() throws -> ElementType? { ElementType(rawValue: try readManifest().precision) }

  func write(_ manifest: Manifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(manifest), to: self.manifest)
  }

  /// Whether there is anything in the way of a new run.
  func refuseContents() throws {
    let contents = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), !isFolder.boolValue {
      throw Refusal(url.path, "is a file, not a folder", "give --out another folder")
    }
    guard let first = contents.min() else { return }
    let isRun = contents.contains("run.json")
    throw Refusal(
      url.path, "is not empty (it holds \(first))",
      isRun ? "continue with --resume, or give --out a new folder" : "give --out a new or empty folder")
  }
}
