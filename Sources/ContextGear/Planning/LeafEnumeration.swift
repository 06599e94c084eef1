/// All orders and cuts of a group with a bound below a limit, by depth-first search from the first stage.
///
/// Let `f` and `b` be a stage's forward and backward seconds per micro-batch, `c` a link's seconds per
/// activation or gradient, `m` the number of micro-batches and `w` the number of them in flight. One step of
/// stage `s` takes at least
///
///     Σ_{j<s} (f_j + b_j + 2 c_j) + max(m (f_s + b_s), ⌈m / w_s⌉ Σ_{j≥s} (f_j + b_j + 2 c_j))
///
/// because it starts after the first stage's update, and micro-batch `i + w` enters when `i` has come back.
/// Also, no device and no shared network can be busy for longer than the step.
struct LeafEnumeration {
  private let search: GroupSearch
  private let setting: GroupSearch.Setting
  private let trains: Bool
  private let limit: Double
  private let mask: Int
  private let stages: Int
  private let layers: Int
  private let times: [StageTimes]
  private let table: [Double]
  private let count: Double
  /// Activation bytes per micro-batch: of the trained pass, and of all forward-only passes.
  private let trainedBytes, forwardBytes: Double
  /// Seconds of an activation one way and a gradient back between two devices; infinite if nothing connects
  /// them.
  private let exchange: [Double]
  /// For each stage and device, the most layers that fit. The other limit is that every stage needs at least
  /// one layer.
  private var widest: [Int] = []
  /// The only widths allowed if layers are not cut by profile.
  private let uniform: [Int]?
  /// The number of stages tried: the work of the enumeration.
  private(set) var visited = 0

  private var order: [Int] = []
  private var widths: [Int] = []
  private var maximum = 0
  /// The leaves found, in the order of the search.
  private(set) var found: [GroupSearch.Leaf] = []
  /// Whether the search ended early because there were more than the maximum.
  private(set) var overflowed = false
  /// A lower bound on all leaves, including those that were not found.
  var least: Double { table[mask * (layers + 1) + layers] }

  init(_ search: GroupSearch, _ setting: GroupSearch.Setting, _ mask: Int, trains: Bool, limit: Double) {
    (self.search, self.setting, self.mask, self.trains, self.limit) = (search, setting, mask, trains, limit)
    stages = mask.nonzeroBitCount
    layers = search.planner.shape.layers
    times = search.planner.cluster.devices.map { StageTimes($0, search, setting, trains: trains) }
    table = search.busyTable(setting, trains: trains)
    let workload = search.workload
    count = Double(workload.samples / setting.microBatch)
    let k = Double(setting.microBatch)
    let perRow = Double(workload.wireBytes(search.planner.shape))
    trainedBytes = workload.trained.rows(samples: k) * perRow
    forwardBytes = workload.forwardOnly.reduce(0) { $0 + $1.rows(samples: k) } * perRow
    let (devices, routes) = (search.planner.cluster.devices, search.planner.simulator.routes)
    let bytes = trainedBytes
    uniform =
      search.planner.ablation == .cuts && stages <= layers
      ? Planner.proportional(layers, to: [Double](repeating: 1, count: stages)) : nil
    exchange = devices.indices.flatMap { a in
      devices.indices.map { b in
        guard let there = routes.route(a, b), let back = routes.route(b, a) else { return .infinity }
        return bytes / there.bandwidth + there.latency + bytes / back.bandwidth + back.latency
      }
    }
    for s in 0..<stages {
      let inFlight = Plan.inFlight(setting.order, stage: s, stages: stages, count: Int(count))
      for device in devices {
        let shape = search.planner.shape.stored(on: device)
        // A stage's memory grows with its layers. It is least if the stage starts as low as it can, with
        // layers that are not adapted; if it starts higher, `fits` checks again.
        var width = layers - stages + 1
        while width > 0 {
          let first = s == stages - 1 ? layers - width : s
          let needed = StageCosts.memory(
            shape, workload, layers: first..<first + width, microBatch: setting.microBatch,
            trains: trains, inFlight: inFlight)
          if needed <= device.memory { break }
          width -= 1
        }
        widest.append(width)
      }
    }
  }

  mutating func run(maximum: Int) {
    self.maximum = maximum
    extend(first: 0, left: mask, path: 0, bound: 0, update: 0)
  }

  /// Tries every possible next stage.
  ///
  /// - Parameters:
  ///   - path: seconds of a micro-batch through the stages so far, forward and back, links included.
  ///   - bound: the lower bound of the stages so far.
  ///   - update: seconds of the first stage's optimiser update.
  private mutating func extend(first: Int, left: Int, path: Double, bound: Double, update: Double) {
    let s = order.count
    let isLast = s == stages - 1
    for d in times.indices where left >> d & 1 == 1 && !overflowed {
      let twin = search.twins[d]
      if (0..<d).contains(where: { left >> $0 & 1 == 1 && search.twins[$0] == twin }) { continue }
      var path = path
      if let before = order.last {
        let seconds = exchange[before * times.count + d]
        guard seconds < .infinity else { continue }
        if trains { path += seconds }
      }
      let rest = left & ~(1 << d)
      let most = layers - first - (stages - 1 - s)
      let room = widest[s * times.count + d]
      if room < (isLast ? most : 1) { continue }
      for width in isLast ? most...most : 1...min(most, room) {
        visited += 1
        if overflowed || visited > 50 * maximum {
          overflowed = true
          return
        }
        if let uniform, uniform[s] != width { continue }
        guard fits(s, d, first..<first + width) else { break }
        let own = times[d].stage(
          width, adapted: search.planner.shape.adapted(first..<first + width), isFirst: s == 0,
          isLast: isLast)
        var here = max(bound, own.extra)
        var update = update
        if trains {
          if s == 0 { update = self.update(d, width) }
          here = max(
            bound, count * own.both + own.extra,
            path + count * own.both + (s == 0 ? own.extra : 0) + update)
        }
        if here >= limit { break }
        let onward = rest == 0 ? 0 : table[rest * (layers + 1) + layers - first - width]
        if max(here, onward) >= limit { continue }
        order.append(d)
        widths.append(width)
        if isLast {
          close(max(here, trains ? roundTrips(update) : 0, medium()))
        } else {
          extend(first: first + width, left: rest, path: path + own.both, bound: here, update: update)
        }
        order.removeLast()
        widths.removeLast()
      }
    }
  }

  private mutating func close(_ bound: Double) {
    guard bound < limit else { return }
    guard found.count < maximum else {
      overflowed = true
      return
    }
    found.append(GroupSearch.Leaf(bound: bound, order: order, widths: widths))
  }

  /// Whether a stage fits on a device, if not all layers are adapted.
  private func fits(_ s: Int, _ d: Int, _ own: Range<Int>) -> Bool {
    let shape = search.planner.shape
    if shape.firstAdapted == 0 { return true }
    let device = search.planner.cluster.devices[d]
    let inFlight = Plan.inFlight(setting.order, stage: s, stages: stages, count: Int(count))
    return StageCosts.memory(
      shape.stored(on: device), search.workload, layers: own, microBatch: setting.microBatch, trains: trains,
      inFlight: inFlight) <= device.memory
  }

  private func update(_ d: Int, _ width: Int) -> Double {
    let shape = search.planner.shape
    return search.planner.cluster.devices[d].update(
      shape, layers: shape.adapted(0..<width), columns: search.workload.trainedColumns)
  }

  /// The bound from the micro-batches in flight, over all stages of the complete group.
  private func roundTrips(_ update: Double) -> Double {
    let shape = search.planner.shape
    var first = 0
    let each = (0..<stages).map { s in
      defer { first += widths[s] }
      return times[order[s]].stage(
        widths[s], adapted: shape.adapted(first..<first + widths[s]), isFirst: s == 0, isLast: s == stages - 1
      ).both
    }
    func both(_ s: Int) -> Double { each[s] }
    func link(_ s: Int) -> Double { exchange[order[s] * times.count + order[s + 1]] }
    var all = both(stages - 1)
    for s in 0..<(stages - 1) { all += both(s) + link(s) }
    var (before, bound) = (0.0, 0.0)
    for s in 0..<stages {
      let inFlight = Plan.inFlight(setting.order, stage: s, stages: stages, count: Int(count))
      bound = max(bound, before + (count / Double(inFlight)).rounded(.up) * (all - before) + update)
      if s < stages - 1 { before += both(s) + link(s) }
    }
    // Slack for rounding: other code sums the same terms in another order.
    return bound * (1 - 1e-12)
  }

  /// The bound from shared networks, which carry all activations and gradients of a step.
  private func medium() -> Double {
    let routes = search.planner.simulator.routes
    guard routes.networkCount > 0, stages > 1 else { return 0 }
    var seconds = [Double](repeating: 0, count: routes.networkCount)
    let bytes =
      trains
      ? 2 * count * trainedBytes + Double(setting.shared) * forwardBytes
      : (count - Double(setting.shared)) * forwardBytes
    for (a, b) in zip(order, order.dropFirst()) {
      guard let route = routes.route(a, b), route.medium >= 0 else { continue }
      seconds[route.medium] += bytes / route.bandwidth
    }
    // Slack: message sizes are rounded down to whole bytes.
    return (seconds.max() ?? 0) * (1 - 1e-3)
  }
}

extension StageTimes {
  /// Seconds of a stage: of a micro-batch's trained pass, forward and backward, and of a step's forward-only
  /// work.
  ///
  /// - Parameter adapted: the number of layers that have a backward pass.
  func stage(_ width: Int, adapted: Int, isFirst: Bool, isLast: Bool) -> (both: Double, extra: Double) {
    (
      Double(width) * forward + Double(adapted) * backward + (isFirst ? firstForward : 0)
        + (isLast ? lastForward + lastBackward : 0),
      Double(width) * extraLayer + (isFirst ? extraFirst : 0) + (isLast ? extraLast : 0)
    )
  }
}
