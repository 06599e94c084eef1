/// Hill climbing from a plan. The simulator prices each neighbour as a whole.
extension Planner {
  /// Returns a plan that no neighbour improves on, or the plan after `rounds` improvements. Each round takes
  /// the first neighbour that is faster.
  func refined(_ start: PricedPlan, _ workload: Workload, rounds: Int = 64) -> PricedPlan {
    guard start.plan.pipelines.count == 1 else { return start }
    var best = start
    for _ in 0..<rounds {
      let faster = neighbours(best.plan, workload).lazy.compactMap { plan -> PricedPlan? in
        guard ablation?.allows(plan) ?? true, busiest(plan, workload) < best.stepTime,
          plan.fits(cluster.devices, shape: shape, workload: workload)
        else { return nil }
        let time = stepTime(plan, workload)
        return time < best.stepTime * (1 - 1e-6) ? PricedPlan(plan: plan, stepTime: time) : nil
      }
      guard let next = faster.first else { break }
      best = next
    }
    return best
  }

  /// The busiest device's seconds of computation per step, a lower bound on the step time of a one-pipeline
  /// plan.
  private func busiest(_ plan: Plan, _ workload: Workload) -> Double {
    let pipeline = plan.pipelines[0]
    let (count, shared) = (Double(pipeline.count), Double(pipeline.shared))
    func costs(_ stage: Plan.Stage) -> StageCosts {
      StageCosts(
        cluster.devices[stage.device], shape, workload, layers: stage.layers, microBatch: pipeline.microBatch)
    }
    let trained = pipeline.trained.map { stage in
      let own = costs(stage)
      let last = own.forward[own.forward.count - 1]
      return count * (last + own.backward) + shared * (own.forward.reduce(0, +) - last)
    }
    let forward = pipeline.forward.map { stage in
      (count - shared) * costs(stage).forward.dropLast().reduce(0, +)
    }
    return (trained + forward).max() ?? 0
  }

  /// Plans that differ in one thing: a layer is moved; a device is swapped, added or removed; or `k`, `ρ` or
  /// the depth differs.
  private func neighbours(_ plan: Plan, _ workload: Workload) -> [Plan] {
    let own = plan.pipelines[0]
    var pipelines: [Plan.Pipeline] = []
    let used = Set((own.trained + own.forward).map(\.device))
    let spare = cluster.devices.indices.filter { !used.contains($0) }
    let groups: [WritableKeyPath<Plan.Pipeline, [Plan.Stage]>] = [\.trained, \.forward]
    func with(_ group: WritableKeyPath<Plan.Pipeline, [Plan.Stage]>, _ devices: [Int], _ widths: [Int]) {
      var copy = own
      copy[keyPath: group] = Self.stages(widths: widths, on: devices)
      pipelines.append(copy)
    }
    for group in groups where !own[keyPath: group].isEmpty {
      let devices = own[keyPath: group].map(\.device)
      let widths = own[keyPath: group].map(\.layers.count)
      for s in widths.indices {
        for t in widths.indices where s != t {
          for moved in [1, 3] where widths[s] > moved {
            var changed = widths
            changed[s] -= moved
            changed[t] += moved
            with(group, devices, changed)
          }
        }
        for device in spare {
          var changed = devices
          changed[s] = device
          with(group, changed, widths)
          if widths[s] > 1 {
            let half = widths[s] / 2
            let split = widths[..<s] + [widths[s] - half, half] + widths[(s + 1)...]
            with(group, Array(devices[...s] + [device] + devices[(s + 1)...]), Array(split))
          }
        }
        if widths.count > 1 {
          var (fewer, wider) = (devices, widths)
          fewer.remove(at: s)
          let freed = wider.remove(at: s)
          wider[min(s, wider.count - 1)] += freed
          with(group, fewer, wider)
        }
      }
    }
    // Swap two devices, within a group or between groups.
    let places = groups.flatMap { group in own[keyPath: group].indices.map { (group, $0) } }
    for (index, a) in places.enumerated() {
      for b in places.dropFirst(index + 1) {
        var copy = own
        let device = copy[keyPath: a.0][a.1].device
        copy[keyPath: a.0][a.1].device = copy[keyPath: b.0][b.1].device
        copy[keyPath: b.0][b.1].device = device
        pipelines.append(copy)
      }
    }
    if !own.forward.isEmpty {
      for shared in [own.shared - 1, own.shared + 1] where (0..<own.count).contains(shared) {
        var copy = own
        copy.shared = shared
        pipelines.append(copy)
      }
    }
    for k in Workload.microBatchSizes(own.samples) where k != own.microBatch {
      var copy = own
      copy.microBatch = k
      copy.shared =
        own.forward.isEmpty
        ? (own.shared == 0 ? 0 : copy.count) : min(copy.count - 1, own.shared * copy.count / own.count)
      pipelines.append(copy)
    }
    var plans = pipelines.map { Plan(order: plan.order, overlap: plan.overlap, pipelines: [$0]) }
    for order in [Plan.Order.oneForwardOneBackward, .eager] where order != plan.order {
      plans.append(Plan(order: order, overlap: plan.overlap, pipelines: plan.pipelines))
    }
    return plans
  }
}
