import Foundation
import InputErrors
import StrictJSON

/// A border of the libraries: bytes from outside, and the functions that must either accept them or refuse
/// them with an `InputError`. Anything else, such as a trap, memory that is not theirs, or minutes of work for
/// a small input, is a fault.
///
/// The seeds of a target are the files in `Fixtures/fuzz/<name>`. `make fuzz` lets libFuzzer change them; the
/// tests read each as it is.
package enum FuzzTarget: String, CaseIterable, Sendable {
  /// A model in one GGUF file: weights, tokenizer and template are read, and it answers.
  case gguf
  /// A safetensors file: every tensor is read.
  case safetensors
  /// The `config.json` of a Hugging Face folder with the weights of a tiny model.
  case configuration
  /// A `tokenizer.json`: text is encoded and decoded.
  case tokenizer
  /// A chat template: conversations are rendered.
  case template
  /// Any JSON value.
  case json
  /// Any YAML file, and overrides of it.
  case yaml
  /// A workflow file: its graph, its phases and its canonical text.
  case workflow
  /// A JSONL file of episodes.
  case episodes
  /// The metadata of a trained adapter, with a right checksum.
  case adapter
  /// The metadata of a training checkpoint, with a right checksum: training resumes from it.
  case checkpoint
  /// A PEFT adapter's `adapter_config.json`.
  case peft
  /// A `plan.json`.
  case plan
  /// A cluster file, a hosts file, a model's sizes, an emulation, a table of links.
  case cluster
  /// What a rank receives: a training over three ranks of which one message is changed.
  case messages
  /// What mpirun and the ranks print.
  case output
  /// A store of runs: all runs are read, and one more is recorded.
  case store
  /// The result of a measurement, in a table and in figures with other ones.
  case result

  /// Passes bytes to the functions of this border. Returns if they accepted or refused them.
  package func run(_ bytes: [UInt8]) {
    do {
      try body(bytes)
    } catch is any InputError {
    } catch is JSONSyntaxError where self == .json {
      // It becomes an InputError where the file is known.
    } catch {
      fatalError("\(self): refused without the place and the remedy: \(type(of: error)) \(error)")
    }
  }

  private func body(_ bytes: [UInt8]) throws {
    switch self {
    case .gguf: try ModelBorders.gguf(bytes)
    case .safetensors: try ModelBorders.safetensors(bytes)
    case .configuration: try ModelBorders.configuration(bytes)
    case .tokenizer: try ModelBorders.tokenizer(bytes)
    case .template: try ModelBorders.template(bytes)
    case .json: try TextBorders.json(bytes)
    case .yaml: try TextBorders.yaml(bytes)
    case .workflow: try TextBorders.workflow(bytes)
    case .episodes: try TextBorders.episodes(bytes)
    case .adapter: try TrainingBorders.adapter(bytes)
    case .checkpoint: try TrainingBorders.checkpoint(bytes)
    case .peft: try ModelBorders.peft(bytes)
    case .plan: try ClusterBorders.plan(bytes)
    case .cluster: try ClusterBorders.cluster(bytes)
    case .messages: try MessageBorder.messages(bytes)
    case .output: try ClusterBorders.output(bytes)
    case .store: try ResultBorders.store(bytes)
    case .result: try ResultBorders.result(bytes)
    }
  }
}

/// A folder of this process for files that a border reads by their paths.
enum Scratch {
  static let folder: URL = {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("contexture-fuzz-\(getpid())")
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(at: Scratch.folder) }
    return folder
  }()

  /// Writes a file of that name, over an earlier one, and returns it.
  static func file(_ name: String, _ bytes: [UInt8]) -> URL {
    let url = folder.appendingPathComponent(name)
    try? FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    guard let file = fopen(url.path, "w") else { fatalError("cannot write \(url.path)") }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { fatalError("cannot write \(url.path)") }
    return url
  }
}

/// Ends the process if two values differ that must be equal.
func mustEqual<Value: Equatable>(_ a: Value, _ b: Value, _ what: String) {
  if a != b {
    fatalError("\(what): \(String(describing: a).prefix(400)) became \(String(describing: b).prefix(400))")
  }
}
