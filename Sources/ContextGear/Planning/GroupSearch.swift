/// Finds the lowest price of one group of devices by itself, over device orders and cuts.
package final class GroupSearch {
  /// The settings that a group shares with the other one.
  package struct Setting: Hashable {
    package var microBatch: Int
    package var shared: Int
    package var order: Plan.Order

    package init(microBatch: Int, shared: Int, order: Plan.Order) {
      (self.microBatch, self.shared, self.order) = (microBatch, shared, order)
    }
  }

  /// A group's stages and their price, in seconds per step.
  struct Choice {
    var price: Double
    var stages: [Plan.Stage]
  }

  private struct Key: Hashable {
    var setting: Setting
    let mask: Int
    let trains: Bool
  }

  /// The best stages of a group so far, and a lower bound `floor` on the price of any.
  private struct Known {
    var choice: Choice?
    var floor: Double
  }

  /// A complete list of stages with a lower bound on its price.
  struct Leaf {
    var bound: Double
    var order: [Int]
    var widths: [Int]
  }

  let planner: Planner
  let workload: Workload
  /// For each device the first one that it is interchangeable with, possibly itself.
  let twins: [Int]
  /// Operations simulated and stages tried so far.
  private(set) var spent = 0
  /// Whether all candidates were considered.
  private(set) var isComplete = true
  /// The lowest bound of the candidates that were not considered.
  private(set) var leastLeftOut = Double.infinity
  private var known: [Key: Known] = [:]
  private var tables: [Key: [Double]] = [:]
  /// The maximum number of candidates kept per group.
  private static let maximumLeaves = 20_000

  package init(_ planner: Planner, _ workload: Workload) {
    self.planner = planner
    self.workload = workload
    twins = Self.twins(planner)
  }

  /// Devices are twins if they have the same profile and the same routes to all others.
  private static func twins(_ planner: Planner) -> [Int] {
    let devices = planner.cluster.devices
    let routes = planner.simulator.routes
    return devices.indices.map { b in
      devices.indices.prefix(b).first { a in
        devices[a].speed == devices[b].speed && devices[a].memory == devices[b].memory
          && devices[a].machine == devices[b].machine
          && routes.route(a, b) == routes.route(b, a)
          && devices.indices.allSatisfy { c in
            c == a || c == b
              || (routes.route(a, c) == routes.route(b, c) && routes.route(c, a) == routes.route(c, b))
          }
      } ?? b
    }
  }

  /// For each subset of devices (a bit each) and number of layers at the end of the model, the least busy
  /// time of the slowest member, over all ways to give each member at least one layer. It is a lower bound on
  /// the price of any device order. Computed by dynamic programming; the entry of a subset and `n` layers is
  /// at `subset * (layers + 1) + n`.
  func busyTable(_ setting: Setting, trains: Bool) -> [Double] {
    var key = Key(setting: setting, mask: 0, trains: trains)
    key.setting.order = .oneForwardOneBackward
    if let table = tables[key] { return table }
    let layers = planner.shape.layers
    let devices = planner.cluster.devices
    let times = devices.map { StageTimes($0, self, setting, trains: trains) }
    let below = planner.shape.firstAdapted
    var table = busyTable(times, unadapted: 0)
    if below > 0, trains {
      // More than `layers - below` layers include some that are not adapted, and any member may have them.
      let lowest = busyTable(times, unadapted: below)
      for entry in table.indices where entry % (layers + 1) > layers - below { table[entry] = lowest[entry] }
    }
    tables[key] = table
    return table
  }

  /// The table if up to `unadapted` of a member's layers have no backward pass.
  private func busyTable(_ times: [StageTimes], unadapted: Int) -> [Double] {
    let layers = planner.shape.layers
    let devices = planner.cluster.devices
    let size = (1 << devices.count) * (layers + 1)
    // `inner` is without the model's last stage, `table` with it.
    var inner = [Double](repeating: .infinity, count: size)
    var table = inner
    inner[0] = 0
    inner.withUnsafeMutableBufferPointer { inner in
      table.withUnsafeMutableBufferPointer { table in
        for mask in 1..<(1 << devices.count) {
          // The choice of member does not matter: the others have been combined already.
          let d = mask.trailingZeroBitCount
          let rest = (mask & ~(1 << d)) * (layers + 1)
          for end in 1...layers {
            var (least, leastWithLast) = (Double.infinity, Double.infinity)
            for width in 1...end {
              let own = times[d].busy(width, adapted: max(width - unadapted, 0))
              least = min(least, max(own, inner[rest + end - width]))
              leastWithLast = min(
                leastWithLast, max(own, table[rest + end - width]),
                max(own + times[d].busyEnd, inner[rest + end - width]))
            }
            inner[mask * (layers + 1) + end] = least
            table[mask * (layers + 1) + end] = leastWithLast
          }
        }
      }
    }
    // Slack for rounding: other code sums the same terms in another order.
    return table.map { $0 * (1 - 1e-12) }
  }

  /// The lowest price of a group, or any price of at most `enough`; `nil` if none is below `limit`.
  func least(
    _ setting: Setting, _ mask: Int, trains: Bool, below limit: Double, enough: Double
  ) -> Choice? {
    var key = Key(setting: setting, mask: mask, trains: trains)
    // Forward-only work has no order of forwards and backwards.
    if !trains { key.setting.order = .oneForwardOneBackward }
    if let known = known[key] {
      if let choice = known.choice, choice.price <= enough || choice.price <= known.floor {
        return choice.price < limit ? choice : nil
      }
      if known.floor >= limit { return nil }
    }
    var leaves = LeafEnumeration(self, key.setting, mask, trains: trains, limit: limit)
    leaves.run(maximum: Self.maximumLeaves)
    spent += leaves.visited
    if leaves.overflowed {
      isComplete = false
      leastLeftOut = min(leastLeftOut, leaves.least)
    }
    var result = Known(choice: nil, floor: limit)
    for leaf in leaves.found.sorted(by: { $0.bound < $1.bound }) {
      let best = result.choice?.price ?? limit
      if leaf.bound >= best { break }
      if best <= enough {
        result.floor = leaf.bound
        break
      }
      if spent >= planner.effort {
        isComplete = false
        leastLeftOut = min(leastLeftOut, leaf.bound)
        break
      }
      let stages = Planner.stages(widths: leaf.widths, on: leaf.order)
      let price = price(stages, key.setting, trains: trains)
      if price < best { result.choice = Choice(price: price, stages: stages) }
    }
    if let choice = result.choice { result.floor = min(result.floor, choice.price) }
    known[key] = result
    return result.choice
  }

  /// The simulated step time of a group by itself.
  func price(_ stages: [Plan.Stage], _ setting: Setting, trains: Bool) -> Double {
    let pipeline = Plan.Pipeline(
      trained: trains ? stages : [], forward: trains ? [] : stages, samples: workload.samples,
      microBatch: setting.microBatch, shared: setting.shared)
    let plan = Plan(order: setting.order, overlap: workload.mayOverlap, pipelines: [pipeline])
    let schedule = planner.schedule(plan, workload, steps: 3, part: trains ? .trained : .forward)
    spent += schedule.operations.count
    return planner.simulator.run(schedule, shape: planner.shape, workload: workload).stepTime
  }
}

/// A device's times for a micro-batch, from which those of any number of layers follow.
struct StageTimes {
  /// Seconds of the trained pass through one layer, and additional seconds of the first and the last stage.
  let forward, backward: Double
  let firstForward, lastForward, lastBackward: Double
  /// Seconds of a step's forward-only work for one layer, and additional ones of the first and the last
  /// stage.
  let extraLayer, extraFirst, extraLast: Double
  let count: Double
  let trains: Bool

  init(_ device: Device, _ search: GroupSearch, _ setting: GroupSearch.Setting, trains: Bool) {
    let (shape, workload) = (search.planner.shape, search.workload)
    let k = Double(setting.microBatch)
    func times(_ pass: Workload.Pass) -> (Double, Double, Double, Double, Double) {
      let rows = pass.rows(samples: k)
      let layer = device.layer(shape, tokens: rows, context: pass.tokens, columns: pass.columns)
      let end = device.end(shape, pass, samples: k)
      return (
        layer.forward, layer.backward, device.embedding(shape, tokens: rows), end.forward, end.backward
      )
    }
    (forward, backward, firstForward, lastForward, lastBackward) = times(workload.trained)
    let m = workload.samples / setting.microBatch
    let units = Double(trains ? setting.shared : m - setting.shared)
    let passes = workload.forwardOnly.map(times)
    extraLayer = units * passes.reduce(0) { $0 + $1.0 }
    extraFirst = units * passes.reduce(0) { $0 + $1.2 }
    extraLast = units * passes.reduce(0) { $0 + $1.3 }
    count = Double(m)
    self.trains = trains
  }

  /// Seconds per step that the last stage works beyond its layers; may be negative.
  var busyEnd: Double { extraLast + (trains ? count * (lastForward + lastBackward) : 0) }
  /// Seconds per step for `layers` layers, of which `adapted` have a backward pass.
  func busy(_ layers: Int, adapted: Int) -> Double {
    Double(layers) * (extraLayer + (trains ? count * forward : 0))
      + (trains ? Double(adapted) * count * backward : 0)
  }
}
