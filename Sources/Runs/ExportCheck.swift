import Checkpoint
import Datasets
import Foundation
import LanguageModels
import SafeFiles
import Tensor
import Workflows

/// Compares an exported adapter, read back from its files, with the run it came from: the logits of both at
/// the positions that predict a task's reply.
package struct ExportCheck: Sendable, Equatable {
  /// The largest accepted absolute difference of two logits.
  ///
  /// It is 0 if the reader's scale equals the run's. Every bit must then agree: the files have the run's
  /// float32 values, `alpha / r` gives back the run's scale because `alpha` was computed as that scale times
  /// `r`, and both sides multiply and add the same values on one device, in float32, in the same order. A
  /// GGUF file stores `alpha` in float32, which may round the scale; the logits may then differ by rounding
  /// errors.
  package static func tolerance(scale: Float, exported: Float) -> Float {
    scale == exported ? 0 : abs(scale - exported) <= 2 * scale.ulp ? 1e-3 : 0
  }

  /// The tolerance that was applied.
  package let tolerance: Float

  /// The source of the prompts, such as "4 test episodes".
  package let source: String
  /// The number of positions at which logits were compared.
  package let positions: Int
  /// The largest absolute difference of two logits.
  package let largestDifference: Float
  /// The number of positions at which both sides have the same most probable token.
  package let agreeing: Int

  /// One sentence to print.
  package var text: String {
    let reason =
      tolerance == 0
      ? "0.0: the same values, multiplied and added in the same order" : "\(tolerance): alpha is rounded"
    return "Verified with \(source), in float32: the largest logit difference is \(largestDifference) "
      + "(tolerance \(reason)); the most probable token is the same at \(agreeing) of \(positions) positions"
  }
}

/// The reason why an exported adapter must not be used.
package struct ExportCheckError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Reason: Sendable, Equatable {
    /// The files cannot be read back as an adapter of this model; the text is the cause.
    case unreadable(String)
    /// The adapter in the files is not the run's.
    case differs(String)
    /// The run's own adapter gives logits that are not finite.
    case runNotFinite
  }

  package let folder: String
  package let reason: Reason

  /// What is wrong, where, and how to fix it.
  package var description: String {
    switch reason {
    case .unreadable(let problem):
      "\(folder): cannot be read back: \(problem); do not use this export: remove it and export again"
    case .differs(let problem):
      "\(folder): is not the run's adapter: \(problem); do not use this export: remove it and export again, "
        + "and report a bug if that does not help"
    case .runNotFinite:
      "\(folder): the run's own adapter gives logits that are not finite; do not use this export: train again "
        + "into a new folder with a lower training.learningRate"
    }
  }
}

/// Token sequences of a task at which two adapters are compared.
package struct CheckPrompts: Sendable, Equatable {
  /// A sequence, with its positions that predict a token of the reply.
  struct Prompt: Sendable, Equatable {
    let tokens: [Int32]
    let positions: [Int]
  }

  /// The source of the sequences, such as "4 test episodes".
  package let source: String
  let prompts: [Prompt]
}

extension TrainedWorkflow {
  /// The prompts of a task with their gold replies, from the first episodes of the run's test data. If there
  /// is no test data, the validation data is used; if there is neither, the task's prompt without an episode.
  ///
  /// - Throws: an error if the data is invalid or there is no such task.
  package func checkPrompts(task: String, count: Int = 4) throws -> CheckPrompts {
    _ = try modules(task: task)
    let splits: [DatasetFolder.Split] = [.test, .valid]
    guard let split = splits.first(where: { FileManager.default.fileExists(atPath: data().file($0)) }) else {
      let tokens = try material.prompts.promptFormTokens(task: task)
      return CheckPrompts(
        source: "the task's prompt form",
        prompts: [CheckPrompts.Prompt(tokens: tokens, positions: [tokens.count - 1])])
    }
    let parents = workflow.graph.parents(of: task)
    let prompts = try episodes(split).prefix(count).map { episode in
      let example = try material.prompts.example(
        task: task, episode: episode, parentAnswers: episode.goldAnswers(of: parents))
      // The last token of the reply is only predicted, never an input.
      let tokens = example.prompt + example.completion.dropLast()
      return CheckPrompts.Prompt(tokens: tokens, positions: Array(example.prompt.count - 1..<tokens.count))
    }
    let noun = prompts.count == 1 ? "episode" : "episodes"
    return CheckPrompts(source: "\(prompts.count) \(split.rawValue) \(noun)", prompts: prompts)
  }

  private static func isFolder(_ url: URL) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue
  }

  /// Reads an exported PEFT folder or GGUF file and compares it with the columns that a task of this run
  /// sees: every value, and the logits at the positions of `prompts`.
  ///
  /// - Precondition: the run was loaded in float32.
  /// - Throws: ``ExportCheckError`` if the folder must not be used, and the errors of the model's file.
  package func check(export folder: URL, named name: String, task: String, _ prompts: CheckPrompts) throws
    -> ExportCheck
  {
    precondition(model.device.computeType == .float32, "check(export:): the run is not loaded in float32")
    func failure(_ reason: ExportCheckError.Reason) -> ExportCheckError {
      ExportCheckError(folder: name, reason: reason)
    }
    let exported: any ExportedAdapter
    do {
      exported =
        Self.isFolder(folder)
        ? try PEFTFolder(folder) : try GGUFAdapterFile(folder, configuration: model.configuration)
    } catch let error as FileError {
      throw failure(.unreadable(error.naming(name, for: folder.path).description))
    }
    let own = try modules(task: task).modules
    let problem = exported.firstDifference(from: own, configuration: model.configuration)
    guard let run = view(task), let adapter = exported.adapter(model.configuration) else {
      throw failure(.differs(problem ?? "it is for another model"))
    }
    let other = model.view(of: adapter, .inference(Array(0..<adapter.rank)))
    var comparison = LogitsComparison()
    for prompt in prompts.prompts {
      comparison.add(
        try model.logits(prompt.tokens, after: prompt.positions, adapter: run),
        try model.logits(prompt.tokens, after: prompt.positions, adapter: other))
    }
    guard comparison.isFirstFinite else { throw failure(.runNotFinite) }
    let tolerance = ExportCheck.tolerance(scale: file.adapter.scale, exported: Float(exported.scale))
    guard comparison.isSecondFinite, comparison.largestDifference <= tolerance, problem == nil
    else {
      let logits =
        comparison.isSecondFinite
        ? "the largest logit difference is \(comparison.largestDifference), above the tolerance of "
          + "\(tolerance), and the most probable token is the same at \(comparison.agreeing) of "
          + "\(comparison.positions) positions" : "its logits are not finite"
      throw failure(.differs([problem, logits].compactMap { $0 }.joined(separator: "; ")))
    }
    return ExportCheck(
      tolerance: tolerance, source: prompts.source, positions: comparison.positions,
      largestDifference: comparison.largestDifference, agreeing: comparison.agreeing)
  }
}

extension ExportedAdapter {
  /// Describes the first module that differs from `own`; `nil` if every value agrees bit for bit.
  fileprivate func firstDifference(from own: [AdapterModule], configuration: LlamaConfiguration) -> String? {
    let found = Dictionary(modules.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    for module in own {
      guard let other = found[module.path] else { return "it has no A and B for \(module.path)" }
      for (name, mine, its) in [("A", module.a, other.a), ("B", module.b, other.b)] {
        guard mine.count == its.count else { return "\(name) of \(module.path) has a different shape" }
        let count = zip(mine, its).count { $0.bitPattern != $1.bitPattern }
        if count > 0 { return "\(count) of \(mine.count) values differ in \(name) of \(module.path)" }
      }
    }
    let names = Set(own.map(\.path))
    if let extra = modules.first(where: { !names.contains($0.path) }) {
      return "it has A and B for \(extra.path), which the run does not adapt"
    }
    // PEFT creates a fresh pair for a module that is named but missing in the file.
    let all = TargetModule.all(
      configuration, layers: 0..<configuration.layerCount, targets: Set(LanguageModels.Projection.allCases))
    if let extra = all.first(where: { adapts($0.path) && !names.contains($0.path) }) {
      return "its target_modules name \(extra.path), which the run does not adapt"
    }
    return nil
  }

  /// The pairs with the reader's scale; `nil` if a pair does not fit the model.
  fileprivate func adapter(_ configuration: LlamaConfiguration) -> LoRAAdapter? {
    let found = Dictionary(modules.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    let adapted = TargetModule.all(
      configuration, layers: 0..<configuration.layerCount, targets: Set(LanguageModels.Projection.allCases)
    ).filter { found[$0.path] != nil }
    let pairs = adapted.compactMap { module in
      found[module.path].flatMap {
        $0.inputs == module.inputs && $0.outputs == module.outputs ? LoRAPair(a: $0.a, b: $0.b) : nil
      }
    }
    guard pairs.count == modules.count else { return nil }
    return LoRAAdapter(modules: adapted, rank: rank, scale: Float(scale), pairs: pairs)
  }
}

/// Compares the logits of two sides, position by position.
private struct LogitsComparison {
  var positions = 0
  var agreeing = 0
  var largestDifference: Float = 0
  var isFirstFinite = true
  var isSecondFinite = true

  mutating func add(_ first: [[Float]], _ second: [[Float]]) {
    for (a, b) in zip(first, second) {
      positions += 1
      isFirstFinite = isFirstFinite && a.allSatisfy(\.isFinite)
      isSecondFinite = isSecondFinite && b.allSatisfy(\.isFinite)
      for (x, y) in zip(a, b) { largestDifference = max(largestDifference, abs(x - y)) }
      if Self.best(a) == Self.best(b) { agreeing += 1 }
    }
  }

  /// The most probable token; the first one if there are several.
  private static func best(_ logits: [Float]) -> Int? {
    logits.indices.max { logits[$0] < logits[$1] || (logits[$0] == logits[$1] && $0 > $1) }
  }
}
