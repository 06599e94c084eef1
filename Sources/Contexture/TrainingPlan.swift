import ContextGear
import Foundation
import Runs

/// How a workflow would be trained over several devices, and how long a step would take.
public struct TrainingPlan: Sendable {
  /// One task's plan.
  public struct Phase: Sendable, Equatable {
    /// The task.
    public let task: String
    /// The predicted time of an optimiser step.
    public let stepTime: Duration
    /// The share of the best baseline's time that the plan saves.
    public let saving: Double
  }

  private let plan: WorkflowPlan

  /// Plans every task.
  ///
  /// - Parameters:
  ///   - cluster: the cluster file; `contexture cluster profile` writes one.
  ///   - models: the folder of fetched models.
  /// - Throws: `InputError` that names the file and the field, or the device whose memory is too small. The workflow's
  ///   model and training data must be there.
  public init(_ workflow: Workflow, cluster: String, models: String = "models") async throws {
    plan = try await Workers(count: 1).run { _ in
      var planner = WorkflowPlanner(workflow.definition, models: models)
      planner.mayAssumeTokens = false
      return try planner.plan(Cluster(contentsOf: cluster))
    }
  }

  /// In the order of training.
  public var phases: [Phase] {
    plan.phases.map {
      Phase(task: $0.workload.trained.task, stepTime: .seconds($0.stepTime), saving: $0.saving)
    }
  }

  /// The plan for people: devices, layers, times, memory and traffic.
  public var text: String { plan.text }
  /// The plan as `contexture train --plan` reads it.
  ///
  /// - Throws: what Foundation throws if it cannot be encoded.
  public func json() throws -> Data { try plan.json() }
}
