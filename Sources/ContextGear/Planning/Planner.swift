import InputErrors

/// A plan with its price.
package struct PricedPlan: Sendable, Hashable {
  package var plan: Plan
  /// Seconds per optimiser step in the steady state, as simulated.
  package var stepTime: Double
}

/// Finds the plan with the least `C = max(C_T, C_F)` over groups, device orders, cuts, `k`, `ρ` and the depth
/// of 1F1B, within every device's memory.
///
/// Up to `exactLimit` devices, the search covers all plans of one pipeline: bounds discard those that cannot
/// be better, and the simulator prices the rest. `C_T` and `C_F` are the simulated steady-state step times of
/// each group by itself. The candidates that can still win are then simulated as a whole, with answers,
/// refined columns and shared networks. The result is the best of these, of replicated pipelines (see
/// `planReplicas`) and of the baselines. With more devices, only the last two are considered.
package struct Planner: Sendable {
  /// The largest number of devices for which every plan is covered.
  package static let exactLimit = 8

  let cluster: Cluster
  package let shape: ModelShape
  var simulator: Simulator
  /// The number of simulated operations and tried stages after which the search gives up its proof. Counted,
  /// not timed, so that a plan does not depend on the machine that makes it.
  package var effort = 20_000_000
  /// Whether several pipelines may share a batch. Their gradients are summed replica by replica. If a replica
  /// after the first has several micro-batches, or if there are more than three replicas, the numbers are
  /// therefore not bit-equal to those of a single process.
  package var mayReplicate = true
  /// A part that plans must not use.
  var ablation: Ablation?

  /// - Precondition: the cluster is valid.
  package init(_ cluster: Cluster, shape: ModelShape) {
    self.cluster = cluster
    self.shape = shape
    simulator = Simulator(cluster)
  }

  /// The simulated step time of a plan. With refined columns and overlap, it is measured over twice the
  /// number of steps that the columns stay in use, after equally many steps to settle.
  func stepTime(_ plan: Plan, _ workload: Workload) -> Double {
    let steps = workload.refinedColumns > 0 && plan.overlap ? 4 * (workload.staleness + 1) : 4
    return stepTime(plan, workload, steps: steps, part: .all)
  }

  /// The simulated step time of one part of a plan.
  func stepTime(_ plan: Plan, _ workload: Workload, steps: Int, part: Schedule.Part) -> Double {
    simulator.run(schedule(plan, workload, steps: steps, part: part), shape: shape, workload: workload)
      .stepTime
  }

  /// The schedule of a plan on this cluster.
  package func schedule(
    _ plan: Plan, _ workload: Workload, steps: Int, part: Schedule.Part = .all
  ) -> Schedule {
    Schedule(
      plan, workload: workload, shape: shape, deviceCount: cluster.devices.count, steps: steps, part: part)
  }

  /// Plans one phase.
  ///
  /// - Throws: `Refusal` if nothing fits into memory (it names the device and the bytes), or if devices that
  ///   would have to communicate are not connected.
  package func plan(_ workload: Workload) throws(Refusal) -> PlannedPhase {
    try checkProfiles()
    let baselines = Baseline.allCases.compactMap { kind in
      baseline(kind, workload).map { (kind, $0) }
    }
    let fallback = baselines.min { $0.1.stepTime < $1.1.stepTime }
    var best = fallback?.1
    func take(_ found: PricedPlan?) {
      if let found, found.stepTime < best?.stepTime ?? .infinity { best = found }
    }
    var floor = workBound(workload)
    var exact = false
    if cluster.devices.count <= Self.exactLimit {
      if cluster.devices.count > 4 {
        // Start with a good plan, so that bounds discard more.
        for start in starts(workload) { take(refined(start, workload)) }
      }
      let found = PlanSearch(self, workload).run(below: best?.stepTime ?? .infinity)
      (floor, exact) = (max(floor, found.lowerBound), found.exact)
      if let plan = found.plan {
        take(refined(PricedPlan(plan: plan, stepTime: found.stepTime), workload))
      }
    }
    if cluster.devices.count > 1, mayReplicate || cluster.devices.count > Self.exactLimit {
      take(planReplicas(workload))
    }
    guard let best, best.stepTime.isFinite else { throw infeasible(workload) }
    if best.plan.pipelines.count > 1 { (floor, exact) = (workBound(workload), false) }
    return PlannedPhase(
      best, fallback: fallback.flatMap { $0.1 == best ? $0.0 : nil }, workload: workload, planner: self,
      lowerBound: min(floor, best.stepTime), exact: exact,
      baselines: baselines.map { PlannedPhase.BaselineTime(baseline: $0.0, priced: $0.1) })
  }

  /// Plans one phase by a baseline, for comparisons.
  ///
  /// - Throws: `Refusal` if the baseline does not fit the devices' memory or number.
  package func plan(_ workload: Workload, by baseline: Baseline) throws(Refusal) -> PlannedPhase {
    try checkProfiles()
    guard let priced = self.baseline(baseline, workload), priced.stepTime.isFinite else {
      throw Refusal(
        "schedule \(baseline.rawValue)", "fits neither the devices' memory nor their number and links",
        "choose another schedule, or other devices")
    }
    return PlannedPhase(
      priced, fallback: baseline, workload: workload, planner: self,
      lowerBound: min(workBound(workload), priced.stepTime), exact: false, baselines: [])
  }

  /// Starting points for hill climbing: the exact plans for the fastest two, three and four devices.
  private func starts(_ workload: Workload) -> [PricedPlan] {
    (2...4).compactMap { count in
      let places = Array(ranking(workload).prefix(count))
      var planner = Planner(cluster.subset(places), shape: shape)
      planner.effort = effort / 20
      let found = PlanSearch(planner, workload).run(below: .infinity)
      guard var plan = found.plan else { return nil }
      plan.pipelines[0].trained = plan.pipelines[0].trained.map {
        Plan.Stage(device: places[$0.device], layers: $0.layers)
      }
      plan.pipelines[0].forward = plan.pipelines[0].forward.map {
        Plan.Stage(device: places[$0.device], layers: $0.layers)
      }
      // Priced again on the whole cluster: other devices may share networks and machines with these.
      return PricedPlan(plan: plan, stepTime: stepTime(plan, workload))
    }
  }

  /// Measured times are valid only for the model that they were measured with.
  private func checkProfiles() throws(Refusal) {
    for device in cluster.devices {
      guard case .measured(let times) = device.speed,
        let model = times.measured?.model ?? cluster.measured?.model, model != shape.signature
      else { continue }
      throw Refusal(
        "device \(device.name)", "was measured with a model of shape \(model), not \(shape.signature)",
        "profile the cluster again with this model")
    }
  }

  /// A lower bound on the step time of any plan: all devices share the work of a step without waiting, each
  /// with its best micro-batch size and with the parts that it does best.
  ///
  /// With `n` parts of a kind, `t` seconds per part on a device, and any weights `y`, a step takes at least
  /// `Σ n y / Σ_devices max(y / t)` seconds per sample (the dual of distributing the parts). The weights are
  /// the mean times.
  func workBound(_ workload: Workload) -> Double {
    let counts = [shape.firstAdapted, shape.layers - shape.firstAdapted - 1, 1].map(Double.init)
    var known: [Device.Speed: [Double]] = [:]
    let times = cluster.devices.map { device in
      let times = known[device.speed] ?? partTimes(device, workload)
      known[device.speed] = times
      return times
    }
    let weights = counts.indices.map { part in times.reduce(0) { $0 + $1[part] } / Double(times.count) }
    let demand = zip(counts, weights).reduce(0) { $0 + $1.0 * $1.1 }
    let supply = times.reduce(0) { sum, own in
      sum
        + (counts.indices.filter { counts[$0] > 0 }.map { weights[$0] / max(own[$0], .leastNormalMagnitude) }
          .max() ?? 0)
    }
    return Double(workload.samples) * demand / supply
  }

  /// Seconds per sample of a layer that is not adapted, of one that is, and of the last one with the head.
  private func partTimes(_ device: Device, _ workload: Workload) -> [Double] {
    let all = Workload.microBatchSizes(workload.samples).map { samples -> [Double] in
      let k = Double(samples)
      var (forward, end) = (0.0, 0.0)
      for pass in workload.forwardOnly + [workload.trained] {
        forward +=
          device.layer(shape, tokens: pass.rows(samples: k), context: pass.tokens, columns: pass.columns)
          .forward
        end += device.end(shape, pass, samples: k).forward
      }
      let trained = workload.trained
      let backward = device.layer(
        shape, tokens: trained.rows(samples: k), context: trained.tokens, columns: trained.columns
      ).backward
      let last = forward + end + backward + device.end(shape, trained, samples: k).backward
      return [forward / k, (forward + backward) / k, last / k]
    }
    return (0..<3).map { part in all.map { $0[part] }.min() ?? 0 }
  }

  /// Why there is no plan: tries the cut by memory with the smallest micro-batches and reports where it
  /// fails.
  private func infeasible(_ workload: Workload) -> Refusal {
    let count = min(cluster.devices.count, shape.layers)
    let order = cluster.devices.indices.sorted {
      (cluster.devices[$1].memory, $0) < (cluster.devices[$0].memory, $1)
    }
    let widths = Self.proportional(
      shape.layers, to: order.prefix(count).map { Double(cluster.devices[$0].memory) })
    let plan = Plan(
      order: .oneForwardOneBackward, overlap: false,
      pipelines: [
        Plan.Pipeline(
          trained: Self.stages(widths: widths, on: Array(order.prefix(count))), forward: [],
          samples: workload.samples, microBatch: 1, shared: workload.samples)
      ])
    let memory = plan.memory(cluster.devices, shape: shape, workload: workload)
    guard let worst = memory.max(by: { $0.shortage < $1.shortage }), worst.shortage > 0 else {
      return Refusal(
        "links", "no plan over connected devices fits into memory",
        "add links, or a network over all devices")
    }
    let name = cluster.devices[worst.device].name
    return Refusal(
      "device \(name)",
      "lacks \(worst.shortage) bytes: with layers cut in proportion to memory and micro-batches of one sample "
        + "it needs \(worst.needed) and has \(worst.available)",
      "add devices or memory, or use a smaller model or shorter sequences")
  }
}
