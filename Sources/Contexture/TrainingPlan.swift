import ContextGear
import Foundation
import Runs

/// A plan for training a workflow over several devices, with predicted step times.
public struct TrainingPlan: Sendable {
  /// One task's plan.
  public struct Phase: Sendable, Equatable {
    /// The task's name.
    public let task: String
    /// The predicted time of an optimiser step.
    public let stepTime: Duration
    /// The fraction by which a step is faster than with the best baseline, 0...1; 0 if no baseline fits.
    public let saving: Double
  }

  private let plan: WorkflowPlan

  /// Plans every task.
  ///
  /// - Parameters:
  ///   - cluster: the cluster file; `contexture cluster profile` writes one.
  ///   - models: the folder of fetched models.
  /// - Throws: `InputError`, with the file and the field, or the device whose memory is too small. The
  ///   workflow's model and training data must exist.
  public init(_ workflow: Workflow, cluster: String, models: String = "models") async throws {
    plan = try await Workers(count: 1).run { _ in
      var planner = WorkflowPlanner(workflow.definition, models: models)
      planner.mayAssumeTokens = false
      return try planner.plan(Cluster(contentsOf: cluster))
    }
  }

  /// One per task, in the order of training.
  public var phases: [Phase] {
    plan.phases.map {
      Phase(task: $0.workload.trained.task, stepTime: .seconds(min($0.stepTime, 1e15)), saving: $0.saving)
    }
  }

  /// The plan as a table to print: devices, layers, times, memory and traffic.
  public var text: String { plan.text }
  /// The plan as JSON for `contexture train --plan`.
  ///
  /// - Throws: `EncodingError`.
  public func json() throws -> Data { try plan.json() }
}
