import Foundation
import InputErrors
import Methods
import Workflows

/// One measurement: a method on a benchmark with a seed.
package struct ExperimentCell: Sendable, Hashable {
  /// The edges along which ContextLoRA partitions; the prompts are the same for all.
  package enum Edges: String, Sendable, Hashable, Codable, CaseIterable {
    /// The workflow's.
    case workflow
    /// None: every task sees its own columns alone.
    case none
    /// Each edge in the other direction.
    case reversed
    /// The same shape with every task in the place of the one before it.
    case wrong
  }

  /// The workflow file.
  package var file: String
  package var method: Method
  package var seed: Int
  /// The share of wrong training labels, by task, 0...1.
  package var noise: [String: Double] = [:]
  package var edges = Edges.workflow
  /// Settings of the workflow, such as `training.precision=float32`.
  package var overrides: [String] = []

  package init(_ file: String, _ method: Method, seed: Int) {
    (self.file, self.method, self.seed) = (file, method, seed)
  }

  /// What differs from the main table, for readers; empty if nothing does. Without the number format, which every
  /// result has.
  package var variant: String { label(overrides.filter { !$0.hasPrefix(Self.precision) }) }

  /// The same with the number format, if the cell sets it.
  var fullVariant: String { label(overrides) }

  private static let precision = "training.precision="

  private func label(_ overrides: [String]) -> String {
    let labels = noise.sorted { $0.key < $1.key }.map {
      "\($0.key) \(Int(($0.value * 100).rounded())) % wrong"
    }
    return (labels + (edges == .workflow ? [] : ["graph: \(edges.rawValue)"]) + overrides).joined(
      separator: ", ")
  }
}

/// How much each measurement of an experiment costs.
package struct ExperimentEffort: Sendable, Hashable {
  /// The optimiser steps of a task as a share of the workflow's.
  package var steps: Double
  /// The number of test episodes.
  package var testEpisodes: Int
  /// The number of validation episodes.
  package var validationEpisodes: Int
  /// Optimiser steps between validations.
  package var validateEvery: Int

  package init(steps: Double, testEpisodes: Int, validationEpisodes: Int, validateEvery: Int) {
    (self.steps, self.testEpisodes) = (steps, testEpisodes)
    (self.validationEpisodes, self.validateEvery) = (validationEpisodes, validateEvery)
  }

  /// For results.
  package static let full = ExperimentEffort(
    steps: 0.5, testEpisodes: 100, validationEpisodes: 24, validateEvery: 20)
  /// To see that everything works: too short to learn every task.
  package static let quick = ExperimentEffort(
    steps: 0.01, testEpisodes: 6, validationEpisodes: 4, validateEvery: 10)

  /// The settings that follow for a workflow.
  ///
  /// - Parameter samples: the number of training episodes.
  func overrides(_ workflow: Workflow, samples: Int) -> [String] {
    let tasks = workflow.tasks.map { task in
      let all =
        task.steps ?? workflow.training.steps
        ?? workflow.trainingOptions.stepCount(task: task.name, samples: samples)
      return "tasks.\(task.name).steps=\(scaled(all))"
    }
    return tasks + [
      "training.validateEvery=\(validateEvery)", "training.validationEpisodes=\(validationEpisodes)",
    ]
  }

  private func scaled(_ count: Int) -> Int { max(2, Int((Double(count) * steps).rounded())) }
}
