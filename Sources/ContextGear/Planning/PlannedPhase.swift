/// A plan with everything that a report or an executor needs.
package struct PlannedPhase: Codable, Hashable, Sendable {
  /// One device's part in the plan.
  package struct DeviceUse: Codable, Hashable, Sendable {
    package var name: String
    /// The device's index in the cluster.
    package var device: Int
    /// Its first layer, and one past its last.
    package var first, end: Int
    /// Whether it belongs to `D_t`.
    package var trains: Bool
    /// The share of a step that it waits.
    package var idle: Double
    /// Bytes that it needs at its peak, and bytes that it may use.
    package var memory, available: Int
  }

  /// The price of a baseline.
  package struct BaselineTime: Codable, Hashable, Sendable {
    package var baseline: Baseline
    /// Its best micro-batch size.
    package var microBatch: Int
    /// Seconds per step.
    package var stepTime: Double

    init(baseline: Baseline, priced: PricedPlan) {
      self.baseline = baseline
      microBatch = priced.plan.pipelines[0].microBatch
      stepTime = priced.stepTime
    }
  }

  /// The work of a step.
  package var workload: Workload
  /// The assignment of the work to devices.
  package var plan: Plan
  /// The baseline that the plan is taken from, if none of ContextGear's plans is faster.
  package var fallback: Baseline?
  /// Seconds per step in the steady state.
  package var stepTime: Double
  /// `C_T` and `C_F`: the step times of `D_t` and `D_f` by themselves; 0 without `D_f`. With replicas, those
  /// of the first pipeline.
  package var trainedTime, forwardTime: Double
  /// A lower bound on the `C` of any plan of the kind that was searched.
  package var lowerBound: Double
  /// Whether the search covered every plan, so that the bound is the least `C`.
  package var exact: Bool
  /// What each device does.
  package var devices: [DeviceUse]
  /// Bytes per step between devices.
  package var traffic: [Simulation.Traffic]
  /// The baselines that the plan is compared with.
  package var baselines: [BaselineTime]

  /// How far the step time is above the bound, as a share of the bound.
  package var gap: Double { stepTime / lowerBound - 1 }

  /// The share of the best baseline's time that the plan saves.
  package var saving: Double {
    baselines.map(\.stepTime).min().map { 1 - stepTime / $0 } ?? 0
  }

  init(
    _ best: PricedPlan, fallback: Baseline?, workload: Workload, planner: Planner, lowerBound: Double,
    exact: Bool, baselines: [BaselineTime]
  ) {
    self.workload = workload
    self.fallback = fallback
    self.lowerBound = lowerBound
    self.exact = exact
    self.baselines = baselines
    plan = best.plan
    stepTime = best.stepTime
    let single = Plan(
      order: plan.order, overlap: plan.overlap, pipelines: Array(plan.pipelines.prefix(1)))
    let own = workload.with(samples: plan.pipelines[0].samples)
    trainedTime = planner.stepTime(single, own, steps: 3, part: .trained)
    forwardTime =
      plan.pipelines[0].forward.isEmpty ? 0 : planner.stepTime(single, own, steps: 3, part: .forward)
    // Steady state: two runs that differ by one step differ by all messages of one step.
    let (long, short) = (4 + workload.staleness, 3 + workload.staleness)
    let runs = [long, short].map { steps in
      planner.simulator.run(
        planner.schedule(best.plan, workload, steps: steps), shape: planner.shape, workload: workload,
        detailed: true)
    }
    let before = Dictionary(
      runs[1].traffic.map { (Pair(from: $0.from, to: $0.to), $0.bytes) }, uniquingKeysWith: +)
    traffic = runs[0].traffic.map {
      Simulation.Traffic(
        from: $0.from, to: $0.to, bytes: $0.bytes - (before[Pair(from: $0.from, to: $0.to)] ?? 0))
    }
    let schedule = planner.schedule(best.plan, workload, steps: 1)
    let memory = best.plan.memory(planner.cluster.devices, shape: planner.shape, workload: workload)
    devices = schedule.stages.enumerated().map { index, stage in
      DeviceUse(
        name: planner.cluster.devices[stage.device].name, device: stage.device, first: stage.first,
        end: stage.end, trains: stage.trains,
        idle: max(0, 1 - runs[0].busy[index] / Double(long) / best.stepTime), memory: memory[index].needed,
        available: memory[index].available)
    }
  }

  private struct Pair: Hashable { let from, to: Int }
}
