/// A part of ContextGear that can be left out, to measure its contribution.
package enum Ablation: String, Codable, Sendable, CaseIterable {
  /// No `D_f`: one pipeline does all work.
  case groups
  /// No share `ρ`: all forward-only work is on `D_f`.
  case share
  /// Layers are cut equally, not by profile.
  case cuts
  /// No overlap of steps: forward-only work waits for the last update.
  case overlap

  /// The name in tables.
  package var title: String {
    switch self {
    case .groups: "without the groups"
    case .share: "without ρ"
    case .cuts: "without cuts by profile"
    case .overlap: "without overlap"
    }
  }

  /// Whether a plan does not use the part.
  func allows(_ plan: Plan) -> Bool {
    plan.pipelines.allSatisfy { pipeline in
      switch self {
      case .groups: pipeline.forward.isEmpty
      case .share: pipeline.forward.isEmpty || pipeline.shared == 0
      case .cuts:
        [pipeline.trained, pipeline.forward].allSatisfy { group in
          let widths = group.map(\.layers.count)
          return widths
            == Planner.proportional(widths.reduce(0, +), to: [Double](repeating: 1, count: widths.count))
        }
      case .overlap: true
      }
    }
  }

  /// The workload of a step without the part.
  func changed(_ workload: Workload) -> Workload {
    guard self == .overlap else { return workload }
    var copy = workload
    copy.staleness = 0
    // Even if nothing is refined, forward-only work has to wait for the update.
    copy.refinedColumns = max(copy.refinedColumns, 1)
    return copy
  }
}

extension Planner {
  /// The step time in seconds of ContextGear's own best plan without a part, baselines excluded; `nil` if no
  /// such plan fits.
  package func stepTime(_ workload: Workload, without part: Ablation?) -> Double? {
    var planner = self
    planner.ablation = part
    let work = part?.changed(workload) ?? workload
    let found = PlanSearch(planner, work).run(below: .infinity)
    return found.plan.map {
      planner.refined(PricedPlan(plan: $0, stepTime: found.stepTime), work).stepTime
    }
  }
}
