/// Schedules that plans are compared with. In all of them, a step's forward-only work waits for the previous
/// update and runs through the same stages before the trained pass. Devices are in the cluster's order; each
/// baseline uses its best micro-batch size.
package enum Baseline: String, Codable, Sendable, CaseIterable {
  /// The fastest device alone.
  case single
  /// GPipe with the same number of layers on each device.
  case gpipe
  /// 1F1B with the same number of layers on each device.
  case uniform
  /// 1F1B with layers in proportion to memory.
  case memory
  /// 1F1B with the cut that minimises the time of the slowest stage or link (Narayanan et al., 2019).
  case pipedream

  /// The name in tables.
  package var title: String {
    switch self {
    case .single: "single device"
    case .gpipe: "GPipe, uniform cuts"
    case .uniform: "1F1B, uniform cuts"
    case .memory: "1F1B, cuts by memory"
    case .pipedream: "1F1B, PipeDream cuts"
    }
  }
}

extension Planner {
  /// The best plan of a baseline over micro-batch sizes and, for a single device, over devices. `nil` if none
  /// fits into memory, or if there are more devices than layers.
  func baseline(_ baseline: Baseline, _ workload: Workload) -> PricedPlan? {
    var best: PricedPlan?
    for k in Workload.microBatchSizes(workload.samples) {
      for stages in stages(baseline, workload, microBatch: k) {
        let pipeline = Plan.Pipeline(
          trained: stages, forward: [], samples: workload.samples, microBatch: k,
          shared: workload.forwardOnly.isEmpty ? 0 : workload.samples / k)
        let plan = Plan(
          order: baseline == .gpipe ? .gpipe : .oneForwardOneBackward, overlap: false, pipelines: [pipeline])
        guard plan.fits(cluster.devices, shape: shape, workload: workload) else { continue }
        let time = stepTime(plan, workload)
        if time < best?.stepTime ?? .infinity { best = PricedPlan(plan: plan, stepTime: time) }
      }
    }
    return best
  }

  private func stages(_ baseline: Baseline, _ workload: Workload, microBatch: Int) -> [[Plan.Stage]] {
    let count = cluster.devices.count
    if baseline == .single {
      // Of identical devices, the first is enough.
      var seen: Set<Device> = []
      return (0..<count).filter { index in
        var kind = cluster.devices[index]
        (kind.name, kind.host) = ("", nil)
        return seen.insert(kind).inserted
      }.map { [Plan.Stage(device: $0, layers: 0..<shape.layers)] }
    }
    guard count > 1, count <= shape.layers else { return [] }
    let widths: [Int]?
    switch baseline {
    case .memory:
      widths = Self.proportional(shape.layers, to: cluster.devices.map { Double($0.memory) })
    case .pipedream: widths = pipeDreamCuts(workload, microBatch: microBatch)
    default: widths = Self.proportional(shape.layers, to: [Double](repeating: 1, count: count))
    }
    return widths.map { [Self.stages(widths: $0, on: Array(0..<count))] } ?? []
  }

  /// Consecutive layer ranges of these widths on these devices.
  static func stages(widths: [Int], on devices: [Int]) -> [Plan.Stage] {
    var first = 0
    return zip(devices, widths).map { device, width in
      defer { first += width }
      return Plan.Stage(device: device, layers: first..<first + width)
    }
  }

  /// At least one layer each, the rest in proportion: each further layer goes where the share is furthest
  /// behind.
  static func proportional(_ layers: Int, to weights: [Double]) -> [Int] {
    var widths = [Int](repeating: 1, count: weights.count)
    for _ in 0..<(layers - weights.count) {
      let next = weights.indices.max { weights[$0] / Double(widths[$0]) < weights[$1] / Double(widths[$1]) }
      widths[next ?? 0] += 1
    }
    return widths
  }

  /// Dynamic programming over stages and cut points. It minimises the time of the slowest stage, which is the
  /// computation of a micro-batch or the link from the previous stage, whichever is longer.
  private func pipeDreamCuts(_ workload: Workload, microBatch: Int) -> [Int]? {
    let (count, layers) = (cluster.devices.count, shape.layers)
    let bytes = workload.trained.rows(samples: Double(microBatch)) * Double(workload.wireBytes(shape))
    var best = [[Double]](repeating: [Double](repeating: .infinity, count: layers + 1), count: count + 1)
    var choice = [[Int]](repeating: [Int](repeating: 0, count: layers + 1), count: count + 1)
    best[0][0] = 0
    for s in 0..<count {
      let link =
        s == 0 ? 0 : simulator.routes.route(s - 1, s).map { 2 * bytes / $0.bandwidth } ?? .infinity
      for first in s..<layers where best[s][first].isFinite {
        for end in (first + 1)...layers {
          let costs = StageCosts(
            cluster.devices[s], shape, workload, layers: first..<end, microBatch: microBatch)
          let work = costs.forward.reduce(0, +) + costs.backward
          let value = max(best[s][first], link, work)
          if value < best[s + 1][end] {
            best[s + 1][end] = value
            choice[s + 1][end] = end - first
          }
        }
      }
    }
    guard best[count][layers].isFinite else { return nil }
    var (widths, end) = ([Int](), layers)
    for s in (1...count).reversed() {
      widths.append(choice[s][end])
      end -= choice[s][end]
    }
    return widths.reversed()
  }
}
