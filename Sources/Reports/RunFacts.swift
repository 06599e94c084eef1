import ContextLoRA
import Datasets
import Evaluation
import Foundation
import InputErrors
import RunStore
import Runs
import SafeFiles
import Workflows

/// What a run folder says of a training, however far it has come.
struct RunFacts {
  /// How far a training is.
  enum State: Equatable {
    case finished
    /// A process is training.
    case training
    /// There is no adapter, and nobody trains. With what became of it, if a store knows that.
    case unfinished(RunState?)
  }

  let path: String
  let workflow: Workflow
  let manifest: RunFolder.Manifest
  let state: State
  let steps: [StepRecord]
  let warnings: [String]
  /// Those that `contexture evaluate RUN` left in the folder; empty if there are none.
  let predictions: [TaskPrediction]
  /// The evaluated episodes, by their identifiers; empty if they cannot be read.
  let episodes: [String: Episode]
  /// What a reader must know of the predictions; empty if they are of the run as it is, on the test split of its data.
  let predictionNotes: [String]

  /// - Parameter state: what a store says of the run; `nil` if none knows it.
  /// - Throws: an error with the file and what is wrong with it.
  init(_ path: String, state stored: RunState? = nil) throws {
    let folder = RunFolder(path)
    self.path = path
    manifest = try folder.readManifest()
    workflow = try Workflow(contentsOf: folder.workflow.path)
    if FileManager.default.fileExists(atPath: folder.adapter.path) {
      state = .finished
    } else {
      // Another process holds the lock while it trains.
      state = (try? FileLock(folder.manifest)) == nil ? .training : .unfinished(stored)
    }
    steps = try JSONLines(folder.metrics).read(StepRecord.self)
    if let bad = steps.firstIndex(where: { !$0.isSound }) {
      throw Refusal(
        "\(folder.metrics.path): step \(bad + 1)", "has impossible numbers",
        "restore the file, or train again")
    }
    warnings = try folder.loggedWarnings().map(\.text)
    predictions = try JSONLines(folder.predictions).read(TaskPrediction.self)
    let source = predictions.first?.source
    guard predictions.allSatisfy({ $0.source == source }) else {
      throw Refusal(
        folder.predictions.path, "has answers of several evaluations", "run contexture evaluate again")
    }
    let isFinished = state == .finished
    let facts = manifest
    predictionNotes = try source.map { try Self.notes($0, folder, facts, isFinished: isFinished) } ?? []
    var found: [String: Episode] = [:]
    if !predictions.isEmpty {
      let split = source.flatMap { DatasetFolder.Split(rawValue: $0.split) }
      for split in split.map({ [$0] }) ?? [DatasetFolder.Split.test, .valid, .train] {
        guard let read = try? DatasetFolder(path: source?.data ?? manifest.dataPath).read(split) else {
          continue
        }
        let wanted = Set(predictions.map(\.episode))
        for episode in read where wanted.contains(episode.id) && found[episode.id] == nil {
          found[episode.id] = episode
        }
        if wanted.count == found.count { break }
      }
    }
    episodes = found
  }

  /// How the predictions are not those of the run as it is, on the test split of its data.
  private static func notes(
    _ source: TaskPrediction.Source, _ folder: RunFolder, _ manifest: RunFolder.Manifest, isFinished: Bool
  ) throws -> [String] {
    var notes: [String] = []
    if source.split != DatasetFolder.Split.test.rawValue { notes.append("On the \(source.split) split.") }
    if source.data != manifest.dataPath { notes.append("On other data: \(source.data).") }
    if let adapter = source.adapter {
      // A run without columns so far has none that could have answered.
      if try adapter != folder.checksumOfColumns(isComplete: isFinished) {
        notes.append("The columns have changed since they answered: evaluate the run again.")
      }
    } else {
      notes.append("Of the base model, without the run's columns.")
    }
    return notes
  }

  /// The share of right answers to a task; `nil` without predictions.
  func accuracy(_ task: String, _ parents: TaskPrediction.Parents) -> (right: Int, count: Int)? {
    let isRoot = workflow.graph.parents(of: task).isEmpty
    let lines = predictions.filter { $0.task == task && (isRoot || $0.parents == parents) }
    return lines.isEmpty ? nil : (lines.count(where: \.right), lines.count)
  }

  /// The episodes with every task right, with predicted parents' answers.
  var allRight: (right: Int, count: Int)? {
    guard !predictions.isEmpty else { return nil }
    var wrong: Set<String> = []
    for line in predictions where !line.right {
      if line.parents == .chained || workflow.graph.parents(of: line.task).isEmpty {
        wrong.insert(line.episode)
      }
    }
    let all = Set(predictions.map(\.episode))
    return (all.count - wrong.count, all.count)
  }
}

extension StepRecord {
  /// Whether these numbers, read from a file, are possible; sums of them do not overflow.
  fileprivate var isSound: Bool {
    let most = 1 << 40
    let scores = validation.map { [$0.score] } ?? []
    return loss.isFinite && seconds.isFinite
      && [totalStep, step, tokens].allSatisfy { (0...most).contains($0) }
      && scores.allSatisfy {
        $0.loss.isFinite && (0...most).contains($0.count) && (0...$0.count).contains($0.correct)
      }
  }
}
