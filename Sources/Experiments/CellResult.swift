import Foundation
import Methods

/// The result of one measurement.
package struct CellResult: Sendable, Codable, Equatable {
  /// A task's test results.
  package struct Task: Sendable, Codable, Equatable {
    package var task: String
    /// Right answers with gold and with predicted parents' answers.
    package var gold, chained: Int
    /// The share of right answers with gold parents' answers when the task had just been trained, 0...1; `nil` if it
    /// never trained alone.
    package var rightAfter: Double?

    package init(task: String, gold: Int, chained: Int, rightAfter: Double?) {
      (self.task, self.gold, self.chained, self.rightAfter) = (task, gold, chained, rightAfter)
    }
  }

  /// Everything that the result depends on, as text; two results with equal keys are of the same measurement.
  package var key: String
  package var benchmark, method, variant: String
  package var seed: Int
  /// The number of test episodes.
  package var episodes: Int
  package var tasks: [Task]
  /// For each test episode, whether every task is right with predicted parents' answers: `1` or `0`.
  package var allRight: String
  /// The number of trained values.
  package var parameters: Int
  /// Optimiser steps, and tokens of the samples.
  package var steps, tokens: Int
  /// Wall time of the training and of the evaluation. Not part of any comparison of results.
  package var seconds, evaluationSeconds: Double
  /// The validations during training.
  package var course: [FittedMethod.Point]
  /// The number format, and the machine.
  package var precision, machine: String

  package init(
    key: String, benchmark: String, method: String, variant: String, seed: Int, episodes: Int,
    tasks: [Task], allRight: String, parameters: Int, steps: Int, tokens: Int, seconds: Double,
    evaluationSeconds: Double, course: [FittedMethod.Point], precision: String, machine: String
  ) {
    (self.key, self.benchmark, self.method, self.variant) = (key, benchmark, method, variant)
    (self.seed, self.episodes, self.tasks, self.allRight) = (seed, episodes, tasks, allRight)
    (self.parameters, self.steps, self.tokens) = (parameters, steps, tokens)
    (self.seconds, self.evaluationSeconds, self.course) = (seconds, evaluationSeconds, course)
    (self.precision, self.machine) = (precision, machine)
  }

  /// The planned optimiser steps of the first task that has its own, from the key; a training that has converged takes
  /// fewer. `nil` if the key does not say.
  package var plannedSteps: Int? {
    let name = "    steps: "
    return key.split(separator: "\n").lazy.filter { $0.hasPrefix(name) }.compactMap {
      Int($0.dropFirst(name.count))
    }
    .first
  }

  /// The share of episodes with every task right, chained.
  package var allRightShare: Double { share(allRight.count { $0 == "1" }) }

  /// Mean accuracy over the tasks with gold parents' answers, minus that with predicted ones.
  package var compositionGap: Double {
    share(tasks.reduce(0) { $0 + $1.gold - $1.chained }) / Double(max(tasks.count, 1))
  }

  /// Mean over the tasks of the accuracy right after training minus that at the end, with gold parents' answers; `nil`
  /// if no task trained alone.
  package var forgetting: Double? {
    let losses = tasks.compactMap { task in task.rightAfter.map { $0 - share(task.gold) } }
    return losses.isEmpty ? nil : losses.reduce(0, +) / Double(losses.count)
  }

  /// Tokens trained on when every task had reached 90 % of its best accuracy on the validation episodes; `nil` if one was
  /// never right.
  package var tokensToNinety: Int? {
    guard !course.isEmpty else { return nil }
    var result = 0
    for task in tasks {
      let own = course.filter { $0.task == task.task }
      let best = own.map(\.accuracy).max() ?? 0
      guard best > 0, let first = own.first(where: { $0.accuracy >= 0.9 * best }) else { return nil }
      result = max(result, first.tokens)
    }
    return result
  }

  package func share(_ count: Int) -> Double { Double(count) / Double(max(episodes, 1)) }
}

extension CellResult {
  /// The results of one benchmark in groups that may stand in one table: with the same data, model and settings but for
  /// what an experiment varies. Those of methods that do not train are in every group with the same tasks, model and
  /// test episodes.
  package static func comparable(_ results: [CellResult]) -> [[CellResult]] {
    let all = results.map { (result: $0, setting: $0.setting, origin: $0.origin) }
    let trained = Dictionary(grouping: all.filter { $0.result.steps > 0 }, by: \.setting)
    var isPlaced: Set<String> = []
    var groups = trained.sorted {
      ($0.value[0].result.steps, $0.key) < ($1.value[0].result.steps, $1.key)
    }.map { setting, group in
      all.filter { one in
        guard one.result.steps == 0 else { return one.setting == setting }
        guard one.origin.agrees(with: group[0].origin) else { return false }
        isPlaced.insert(one.result.key)
        return true
      }.map(\.result)
    }
    // Nothing was trained on what these answered.
    var rest = all.filter { $0.result.steps == 0 && !isPlaced.contains($0.result.key) }
    while let first = rest.first {
      groups.append(rest.filter { $0.origin.agrees(with: first.origin) }.map(\.result))
      rest.removeAll { $0.origin.agrees(with: first.origin) }
    }
    return groups
  }

  /// What a model without training depends on: the tasks, the prompts, the data and the model.
  private struct Origin {
    var lines: [Substring] = []
    /// The checksum of each split, `-` if the method does not read it.
    var splits: [Substring] = []

    func agrees(with other: Origin) -> Bool {
      lines == other.lines && splits.count == other.splits.count
        && zip(splits, other.splits).allSatisfy { $0 == $1 || $0 == "-" || $1 == "-" }
    }
  }

  private var origin: Origin {
    var origin = Origin()
    // The key begins with the workflow; its settings of training are the last before an empty line.
    var (isWorkflow, isTraining) = (true, false)
    for line in key.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      if isWorkflow {
        if line == "lora:" { isTraining = true }
        if line.isEmpty { isWorkflow = false }
        let isSteps = ["    rank: ", "    steps: ", "    maxSteps: "].contains { line.hasPrefix($0) }
        if isTraining ? line.hasPrefix("  answerForm: ") : !isSteps { origin.lines.append(line) }
      } else if origin.splits.isEmpty {
        origin.splits = line.split(separator: " ")
      } else if !line.isVaried {
        origin.lines.append(line)
      }
    }
    return origin
  }

  /// The key without the method, the seed, what experiments vary, and the machine.
  private var setting: String {
    key.split(separator: "\n").dropLast().filter { !$0.isVaried && !$0.hasPrefix("  seed: ") }
      .joined(separator: "\n")
  }
}

extension Substring {
  /// Whether a line of a key says what experiments vary.
  fileprivate var isVaried: Bool { ["method ", "noise ", "edges "].contains { hasPrefix($0) } }
}
