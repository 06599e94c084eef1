import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import SafeFiles
import StrictJSON
import TaskGraph
import Tensor

/// The specification of a replay, read from the reference implementation's JSON. There, `seed` draws the
/// initial parameters; here they are given.
struct ReplaySpecification {
  struct TaskSteps {
    let name: String
    let parents: [String]
    /// One entry is one optimiser step.
    let batches: [[TokenSequence]]
  }

  /// The file, for messages.
  let file: String
  let rank: Int
  let alpha: Double
  let targets: Set<Projection>
  let learningRate: Double
  let adamW: AdamWSettings
  let clipNorm: Double?
  let tasks: [TaskSteps]
  private let frozenRatio: Double
  private let rounds: Int
  private let prerequisites: PrerequisiteRule

  /// Reads and checks a file.
  ///
  /// - Parameters:
  ///   - model: the model to train; the sequences must fit its vocabulary and context.
  ///   - type: the number format of the computation.
  /// - Throws: `FileError`, with the file and the invalid field.
  init(_ url: URL, model: LlamaConfiguration, type: ElementType) throws {
    file = url.path
    let root = Field(file: url.path, path: "", value: try JSONParser.parse(MappedFile(url)))
    guard root.value?.members != nil else { throw root.refusal("is not an object", "give the specification") }
    rank = try root["rank"].integer()
    alpha = try root["alpha"].number()
    frozenRatio = try root["frozenRatio"].number()
    rounds = try root["rounds"].given?.integer() ?? 1
    learningRate = try root["learningRate"].number(from: 0)
    let betas = try root["betas"].given?.betas() ?? [0.9, 0.999]
    adamW = AdamWSettings(
      beta1: betas[0], beta2: betas[1], epsilon: try root["epsilon"].given?.number(from: 0) ?? 1e-8,
      weightDecay: try root["weightDecay"].given?.number(from: 0) ?? 0)
    let clipNorm = try root["clipNorm"].given?.number(from: 0)
    // The reference uses 0 for no clipping.
    self.clipNorm = clipNorm == 0 ? nil : clipNorm
    prerequisites = try root["prerequisites"].given?.choice(PrerequisiteRule.self) ?? .ancestors
    // Settings with a single supported value are only checked.
    _ = try root["schedule"].given?.word(of: ["constant"])
    _ = try root["dtype"].given?.word(of: [type.rawValue])
    targets = Set(try root["targets"].list().map { try $0.choice(Projection.self) })
    guard !targets.isEmpty else {
      throw root["targets"].refusal(
        "names no layer", "use \(Field.words(Projection.allCases.map(\.rawValue)))")
    }
    tasks = try root["tasks"].list().map { try TaskSteps($0, model) }
  }

  /// The order of phases.
  ///
  /// - Throws: `FileError`, with the file and the invalid field.
  func schedule() throws -> PhaseSchedule {
    do throws(TaskGraphError) {
      let graph = try TaskDependencyGraph(tasks.map { (name: $0.name, parents: $0.parents) })
      return try PhaseSchedule(
        graph: graph, blocks: RankBlocks(tasks: graph.tasks, rank: rank), frozenRatio: frozenRatio,
        prerequisiteRule: prerequisites, freezeRule: .leading, rounds: rounds)
    } catch {
      let (field, remedy) = Self.place(of: error)
      throw FileError(.malformed, file: file, field: field, problem: error.problem, remedy: remedy)
    }
  }

  private static func place(of error: TaskGraphError) -> (field: String, remedy: String) {
    switch error {
    // Tasks have no ranks of their own here.
    case .rankDoesNotDivide(_, _, let nearest): ("rank", "use \(Field.words(nearest.map { "\($0)" }))")
    case .rankOutOfRange: ("rank", error.remedy)
    case .frozenRatioOutOfRange: ("frozenRatio", error.remedy)
    case .roundsOutOfRange: ("rounds", error.remedy)
    default: ("tasks", error.remedy)
    }
  }
}

extension ReplaySpecification.TaskSteps {
  fileprivate init(_ field: Field, _ model: LlamaConfiguration) throws {
    name = try field["name"].text()
    let task = Field(file: field.file, path: "tasks.\(name)", value: field.value)
    parents = try task["parents"].list().map { try $0.text() }
    batches = try task["batches"].list().map { batch in
      let sequences = try batch.list().map { try $0.sequence(model) }
      guard sequences.contains(where: { $0.targetCount > 0 }) else {
        throw batch.refusal("has no label but \(Field.noLabel)", "give a token to be predicted")
      }
      return sequences
    }
    guard !batches.isEmpty else { throw task["batches"].refusal("is empty", "give at least one batch") }
  }
}

/// A value of the specification and its path.
private struct Field {
  /// The label of a position without loss.
  static let noLabel = -100

  let file: String
  /// Names with dots and indices in brackets, as in `tasks.a.batches[0]`; empty for the root.
  let path: String
  /// `nil` if it is missing or null.
  let value: JSONValue?

  func refusal(_ problem: String, _ remedy: String) -> FileError {
    FileError(
      .malformed, file: file, field: path.isEmpty ? nil : path, problem: problem, remedy: remedy)
  }

  /// The field itself if it has a value.
  var given: Field? { value == nil ? nil : self }

  /// A member of an object.
  subscript(key: String) -> Field {
    Field(file: file, path: path.isEmpty ? key : "\(path).\(key)", value: value?[key])
  }

  private subscript(index: Int) -> Field { Field(file: file, path: "\(path)[\(index)]", value: nil) }

  private func required<Value>(_ kind: String, _ convert: (JSONValue) -> Value?) throws -> Value {
    guard let value else { throw refusal("is missing", "add it: \(kind)") }
    guard let converted = convert(value) else { throw refusal("is not \(kind)", "correct it") }
    return converted
  }

  func integer() throws -> Int { try required("a whole number") { $0.integer } }

  func number() throws -> Double { try required("a number") { $0.number } }

  func number(from least: Double) throws -> Double {
    let number = try number()
    guard number >= least else { throw refusal("\(number) is below \(least)", "give a larger number") }
    return number
  }

  func text() throws -> String { try required("a text") { $0.string } }

  func list() throws -> [Field] {
    try required("a list") { $0.array }.enumerated().map { index, element in
      Field(file: file, path: "\(path)[\(index)]", value: element)
    }
  }

  /// The text of the field, which must be one of `known`.
  func word(of known: [String]) throws -> String {
    let word = try text()
    guard known.contains(word) else { throw unknown(word, known) }
    return word
  }

  /// The case with the field's text as its raw value.
  func choice<Value: CaseIterable & RawRepresentable>(_ type: Value.Type) throws -> Value
  where Value.RawValue == String {
    let word = try text()
    guard let value = Value(rawValue: word) else { throw unknown(word, Value.allCases.map(\.rawValue)) }
    return value
  }

  private func unknown(_ word: String, _ known: [String]) -> FileError {
    refusal("'\(word)' is unknown or not computed here", "use \(Self.words(known))")
  }

  /// `a or b`, for messages.
  static func words(_ words: [String]) -> String { words.joined(separator: " or ") }

  func betas() throws -> [Double] {
    let betas = try list()
    guard betas.count == 2 else {
      throw refusal("is a list of \(betas.count), not of two numbers", "give two, as in [0.9, 0.999]")
    }
    return try betas.map { beta in
      let number = try beta.number()
      guard (0..<1).contains(number) else {
        throw beta.refusal("\(number) is not a decay rate", "give a number from 0 to below 1")
      }
      return number
    }
  }

  /// Token ids and labels that are valid for the model.
  func sequence(_ model: LlamaConfiguration) throws -> TokenSequence {
    let (ids, labels) = (self["ids"], self["labels"])
    let tokens = try ids.tokens(below: model.vocabularySize)
    let targets = try labels.tokens(below: model.vocabularySize, or: Self.noLabel)
    guard !tokens.isEmpty else { throw ids.refusal("is empty", "give at least one token") }
    guard tokens.count <= model.maximumPositions else {
      throw ids.refusal(
        "\(tokens.count) tokens do not fit the context of \(model.maximumPositions)", "shorten the sequence")
    }
    guard targets.count == tokens.count else {
      throw labels.refusal(
        "has \(targets.count) labels for \(tokens.count) ids",
        "give one label per id, \(Self.noLabel) where there is no loss")
    }
    return TokenSequence(
      tokens: tokens, targets: targets.map { $0 == Self.noLabel ? TokenSequence.noTarget : $0 })
  }

  /// Token ids below `size`, or `other`.
  private func tokens(below size: Int, or other: Int? = nil) throws -> [Int32] {
    try required("a list") { $0.array }.enumerated().map { index, element in
      guard let token = element.integer, (0..<size).contains(token) || token == other else {
        let rest = other.map { ", or \($0) for no loss" } ?? ""
        throw self[index].refusal(
          "\(element.encoded().prefix(20)) is not a token of the model",
          "give a number from 0 to \(size - 1)\(rest)")
      }
      return Int32(token)
    }
  }
}
