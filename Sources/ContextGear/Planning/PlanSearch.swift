/// The exact search over plans of one pipeline on a few devices.
///
/// For each `k`, `ρ` and depth, dynamic programming over subsets of devices gives every pair of disjoint
/// groups a lower bound on its `C`. Pairs are visited in ascending order of their bounds; `GroupSearch` finds
/// the lowest price of a group. The search ends when no bound is below the best step time found.
package struct PlanSearch {
  /// The outcome of a search.
  package struct Result {
    /// The plan with the best simulated step time; `nil` if none is below the given limit.
    package var plan: Plan?
    /// Its step time in seconds.
    package var stepTime: Double
    /// The least `C`, if the search was exact and it is below the given limit; otherwise a lower bound.
    package var lowerBound: Double
    /// Whether every plan was covered.
    package var exact: Bool
  }

  /// Two groups and their setting, with a lower bound on their `C`.
  private struct Pair {
    let bound: Double
    let trained, forward: Int
    let setting: Int
  }

  let planner: Planner
  let workload: Workload
  private var count: Int { planner.cluster.devices.count }

  /// - Precondition: the cluster has at most `Planner.exactLimit` devices.
  package init(_ planner: Planner, _ workload: Workload) {
    precondition(planner.cluster.devices.count <= Planner.exactLimit, "too many devices for every subset")
    self.planner = planner
    self.workload = workload
  }

  /// Finds the best plan with a step time below a limit.
  package func run(below limit: Double) -> Result {
    let settings = settings()
    let group = GroupSearch(planner, workload)
    var result = Result(plan: nil, stepTime: limit, lowerBound: .infinity, exact: true)
    var leftOut = Double.infinity
    for pair in pairs(settings, group, below: limit) {
      guard pair.bound < result.stepTime else { break }
      guard group.spent < planner.effort else {
        leftOut = pair.bound
        break
      }
      let setting = settings[pair.setting]
      guard let (price, pipeline) = best(pair, setting, group, below: result.stepTime) else { continue }
      result.lowerBound = min(result.lowerBound, price)
      let plan = Plan(order: setting.order, overlap: workload.mayOverlap, pipelines: [pipeline])
      let time = planner.stepTime(plan, workload)
      if time < result.stepTime { (result.plan, result.stepTime) = (plan, time) }
    }
    result.exact = leftOut == .infinity && group.isComplete
    // Pairs that were not visited have a bound of their own, or were cut off at the best time.
    result.lowerBound = min(result.lowerBound, leftOut, group.leastLeftOut)
    return result
  }

  /// All combinations of `k`, `ρ` and depth.
  private func settings() -> [GroupSearch.Setting] {
    Workload.microBatchSizes(workload.samples).flatMap { k -> [GroupSearch.Setting] in
      let m = workload.samples / k
      // Beyond 32 micro-batches the share changes in steps of 1/32.
      let shares =
        workload.forwardOnly.isEmpty
        ? [0] : m <= 32 ? Array(0...m) : Array(Set((0...32).map { $0 * m / 32 })).sorted()
      return shares.flatMap { share in
        [Plan.Order.oneForwardOneBackward, .eager].map {
          GroupSearch.Setting(microBatch: k, shared: share, order: $0)
        }
      }
    }
  }

  private func pairs(
    _ settings: [GroupSearch.Setting], _ group: GroupSearch, below limit: Double
  ) -> [Pair] {
    let layers = planner.shape.layers
    let row = layers + 1
    let splits = splits(group)
    var pairs: [Pair] = []
    for (index, setting) in settings.enumerated() {
      let alone = setting.shared == workload.samples / setting.microBatch || workload.forwardOnly.isEmpty
      let trained = group.busyTable(setting, trains: true)
      let forward = alone ? [] : group.busyTable(setting, trains: false)
      for (t, f) in splits where (f == 0) == alone {
        // The depth matters only with two or more stages.
        if setting.order == .eager, t & (t - 1) == 0 { continue }
        if f != 0, planner.ablation == .groups { continue }
        if f != 0, planner.ablation == .share, setting.shared > 0 { continue }
        let bound = max(
          trained[t * row + layers],
          alone ? 0 : max(forward[f * row + layers], exchange(setting, t, f, group)))
        if bound < limit {
          pairs.append(Pair(bound: bound, trained: t, forward: f, setting: index))
        }
      }
    }
    return pairs.sorted {
      ($0.bound, $0.setting, $0.trained, $0.forward) < ($1.bound, $1.setting, $1.trained, $1.forward)
    }
  }

  /// Pairs of disjoint groups. Of interchangeable devices, the first go to `D_t` and the next to `D_f`.
  private func splits(_ group: GroupSearch) -> [(Int, Int)] {
    let full = 1 << count
    var splits: [(Int, Int)] = []
    for t in 1..<full {
      var f = (full - 1) & ~t
      while true {
        let roles = (0..<count).map { t >> $0 & 1 == 1 ? 0 : f >> $0 & 1 == 1 ? 1 : 2 }
        let ordered = (0..<count).allSatisfy { a in
          (a..<count).allSatisfy { b in group.twins[a] != group.twins[b] || roles[a] <= roles[b] }
        }
        if ordered { splits.append((t, f)) }
        if f == 0 { break }
        f = (f - 1) & ~t
      }
    }
    return splits
  }

  /// The least `max(C_T, C_F)` of a pair, with its pipeline; `nil` if it is not below `limit`.
  private func best(
    _ pair: Pair, _ setting: GroupSearch.Setting, _ group: GroupSearch, below limit: Double
  ) -> (Double, Plan.Pipeline)? {
    var forward = GroupSearch.Choice(price: 0, stages: [])
    if pair.forward != 0 {
      guard let found = group.least(setting, pair.forward, trains: false, below: limit, enough: pair.bound)
      else { return nil }
      forward = found
    }
    guard
      let trained = group.least(
        setting, pair.trained, trains: true, below: limit, enough: max(forward.price, pair.bound))
    else { return nil }
    let pipeline = Plan.Pipeline(
      trained: trained.stages, forward: forward.stages, samples: workload.samples,
      microBatch: setting.microBatch, shared: setting.shared)
    return (max(trained.price, forward.price, pair.bound), pipeline)
  }

  /// A lower bound on the seconds per step of the exchange between the groups. From an update to the update
  /// that depends on it through the refined columns, `staleness + 1` steps pass. In that time, one after the
  /// other, the columns travel to `D_f`, a micro-batch goes through all forward-only passes, its answers
  /// travel back, and `D_t` does its micro-batches. The price of a pair is the larger of `max(C_T, C_F)` and
  /// this bound.
  package func exchange(_ setting: GroupSearch.Setting, _ t: Int, _ f: Int, _ group: GroupSearch) -> Double {
    guard workload.refinedColumns > 0 else { return 0 }
    let (shape, routes) = (planner.shape, planner.simulator.routes)
    let trained = (0..<count).filter { t >> $0 & 1 == 1 }
    let forward = (0..<count).filter { f >> $0 & 1 == 1 }
    let there = trained.flatMap { a in forward.compactMap { routes.route(a, $0) } }
    let back = forward.flatMap { a in trained.compactMap { routes.route(a, $0) } }
    guard let widest = there.map(\.bandwidth).max(), let latency = there.map(\.latency).min(),
      let answer = back.map(\.latency).min()
    else { return .infinity }
    // Each port carries its own part at the same time, unless all share a medium.
    let ports =
      Set(there.map(\.medium)).count == 1 && there[0].medium >= 0
      ? 1 : min(trained.count, forward.count)
    let bytes = shape.adapted(0..<shape.layers) * workload.refinedColumns * shape.columnValues * 4
    let k = Double(setting.microBatch)
    let layers = forward.map { d in
      workload.forwardOnly.map { pass in
        let device = planner.cluster.devices[d]
        let layer = device.layer(
          shape, tokens: pass.rows(samples: k), context: pass.tokens, columns: pass.columns
        ).forward
        return (one: layer, last: layer + device.end(shape, pass, samples: k).forward)
      }
    }
    let passes =
      Double(shape.layers - 1) * (layers.map { $0.reduce(0) { $0 + $1.one } }.min() ?? 0)
      + (layers.map { $0.reduce(0) { $0 + $1.last } }.min() ?? 0)
    var own = setting
    own.shared = 0
    own.order = .oneForwardOneBackward
    let training = group.busyTable(own, trains: true)[t * (shape.layers + 1) + shape.layers]
    let chain = Double(bytes) / (widest * Double(ports)) + latency + passes + answer + training
    return chain / Double(workload.staleness + 1)
  }
}
