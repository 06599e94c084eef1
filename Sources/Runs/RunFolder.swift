import Checkpoint
import ContextLoRA
import Foundation
import InputErrors
import SafeFiles
import Tensor
import Workflows

/// The files of a run folder.
///
/// | file | content |
/// |---|---|
/// | `run.json` | the workflow, model and data that the run belongs to |
/// | `workflow.yaml` | the workflow with every setting, as it was trained |
/// | `metrics.jsonl` | one line for each optimiser step |
/// | `warnings.jsonl` | failures of phases that do not show in any single step |
/// | `decisions.jsonl` | with `frozenRatio: adaptive`, which columns froze and why |
/// | `checkpoint.safetensors` | everything needed to resume |
/// | `plan.json` | over several devices: the plan of the last training |
/// | `figures.jsonl` | over several devices: step time, waiting and bytes per phase and rank, vs. plan |
/// | `adapter.safetensors` | the trained adapter; exists once training is done |
/// | `predictions.jsonl` | the answers of the last evaluation on the test split |
/// | `export/` | default output of `contexture export` |
package struct RunFolder: Sendable {
  /// The folder.
  package let url: URL

  /// The folder need not exist yet.
  package init(_ path: String) { url = URL(fileURLWithPath: path, isDirectory: true) }

  package var workflow: URL { url.appendingPathComponent("workflow.yaml") }
  package var manifest: URL { url.appendingPathComponent("run.json") }
  package var metrics: URL { url.appendingPathComponent("metrics.jsonl") }
  package var figures: URL { url.appendingPathComponent("figures.jsonl") }
  package var decisions: URL { url.appendingPathComponent("decisions.jsonl") }
  package var warnings: URL { url.appendingPathComponent("warnings.jsonl") }
  package var checkpoint: URL { url.appendingPathComponent("checkpoint.safetensors") }
  /// Whether a run has begun here.
  package var hasBegun: Bool { FileManager.default.fileExists(atPath: manifest.path) }
  package var adapter: URL { url.appendingPathComponent("adapter.safetensors") }
  package var predictions: URL { url.appendingPathComponent("predictions.jsonl") }

  /// The workflow, model and data of a run.
  package struct Manifest: Codable, Sendable, Equatable {
    /// The format version of the folder.
    package var format = 1
    /// The model as the workflow names it.
    package var model: String
    /// The path of the model's files.
    package var modelPath: String
    /// Identifies the model's configuration and weights.
    package var modelIdentity: String
    /// Identifies the model's tokenizer and chat template; `nil` in older runs.
    package var promptIdentity: PromptIdentity?
    /// The path of the data.
    package var dataPath: String
    /// The SHA-256 of the workflow with every setting.
    package var workflowIdentity: String
    /// The SHA-256 of the training data.
    package var dataIdentity: String
    /// The SHA-256 of the validation data; `nil` if training does not use it.
    package var validationIdentity: String?
    /// float32 or bfloat16.
    package var precision: String
  }

  /// - Throws: an error if the folder is not a run, or cannot be read.
  package func readManifest() throws -> Manifest {
    guard let data = try FileContents.readIfPresent(manifest) else {
      throw Refusal(url.path, "is not a run: it has no run.json", "give the folder of a training")
    }
    guard let manifest = try? JSONDecoder().decode(Manifest.self, from: data), manifest.format == 1 else {
      throw Refusal(manifest.path, "is damaged or of another version", "train again into a new folder")
    }
    return manifest
  }

  /// The number format with which the run began. It resumes in the same one, even if another
  /// is faster on this processor.
  ///
  /// - Throws: an error if the folder is not a run, or cannot be read.
  func computeType() throws -> ElementType? { ElementType(rawValue: try readManifest().precision) }

  /// The SHA-256 of the file with the trained columns; `nil` if there is none.
  ///
  /// - Parameter isComplete: whether it is the adapter of a finished training, not the last checkpoint.
  /// - Throws: `FileError` if it cannot be read.
  package func checksumOfColumns(isComplete: Bool) throws -> String? {
    let file = isComplete ? adapter : checkpoint
    return try FileKind.of(file.path) == nil ? nil : FileChecksum.sha256(of: file)
  }

  /// The checkpoint of a run; `nil` before the first one.
  ///
  /// - Parameter identity: the identity of the run's workflow.
  /// - Throws: an error if the file is damaged, or is not of this workflow and model.
  func readCheckpoint(_ material: WorkflowMaterial, workflow identity: String) throws -> TrainingCheckpoint? {
    guard try FileKind.of(checkpoint.path) != nil else { return nil }
    let found = try TrainingCheckpoint(checkpoint, modules: material.modules)
    guard found.position.workflow == identity, try material.isModel(found.position.model) else {
      throw Refusal(checkpoint.path, "belongs to another workflow or model", "train again into a new folder")
    }
    try material.check(found.adapter, in: checkpoint)
    return found
  }

  func write(_ manifest: Manifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(manifest), to: self.manifest)
  }

  /// Checks that the folder is missing or empty, so that a new run can use it.
  ///
  /// - Throws: `Refusal` otherwise; `FileError` if it cannot be examined.
  func refuseContents() throws {
    guard let kind = try FileKind.of(url.path) else { return }
    guard kind == .folder else {
      throw Refusal(url.path, "is \(kind.text), not a folder", "choose another folder")
    }
    let contents: [String]
    do { contents = try FileManager.default.contentsOfDirectory(atPath: url.path) } catch {
      throw SystemError.describe(error, path: url.path, action: "list the folder")
    }
    guard let first = contents.min() else { return }
    let isRun = contents.contains("run.json")
    throw Refusal(
      url.path, "is not empty (it holds \(first))",
      isRun ? "resume it, or choose a new folder" : "choose a new or empty folder")
  }
}
