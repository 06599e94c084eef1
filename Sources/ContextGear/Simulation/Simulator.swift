/// Prices schedules by discrete-event simulation.
///
/// - A device runs its list in order; a computation takes the time given by the device's profile.
/// - A message occupies the sender's uplink, the receiver's downlink and, if there is one, the shared
///   network, all at once, for `bytes / bandwidth`. Messages are served first in, first out, and arrive
///   `latency` later. Hence a stage's two neighbours share its uplink.
/// - When replicas sum gradients, a device copies them into the message, or copies or adds them out of it,
///   before it continues.
/// - Devices of one machine slow each other down, by the number of them that have a stage.
/// - Transfers overlap computation; without `overlapsTransfers` the sender waits until its message has left.
package struct Simulator: Sendable {
  private let devices: [Device]
  let routes: Routes
  /// For each machine, the number of devices that compute for something else at the same time.
  var busyBeside: [Int: Int] = [:]
  /// Whether transfers overlap computation.
  package var overlapsTransfers = true

  /// - Precondition: the cluster is valid.
  package init(_ cluster: Cluster) {
    devices = cluster.devices
    routes = Routes(cluster)
  }

  /// For each machine, the number of its devices that compute.
  private func busyMachines(_ schedule: Schedule) -> [Int: Int] {
    schedule.stages.reduce(into: busyBeside) { busy, stage in
      if let machine = devices[stage.device].machine { busy[machine, default: 0] += 1 }
    }
  }

  /// A device, slowed down by the other devices of its machine that have work.
  private func device(_ index: Int, _ busy: [Int: Int]) -> Device {
    devices[index].beside(devices[index].machine.map { (busy[$0] ?? 1) - 1 } ?? 0)
  }

  /// Runs a schedule. If nothing connects two devices, a message between them takes forever.
  ///
  /// - Parameter detailed: whether to record when each operation ran and how many bytes went where.
  package func run(
    _ schedule: Schedule, shape: ModelShape, workload: Workload, detailed: Bool = false
  ) -> Simulation {
    let busy = busyMachines(schedule)
    let costs = schedule.stages.map {
      StageCosts(
        device($0.device, busy), shape, workload, layers: $0.first..<$0.end, microBatch: $0.microBatch)
    }
    var run = SimulatorRun(schedule, costs, self, detailed: detailed)
    return run.finish()
  }
}

/// The state of one run.
private struct SimulatorRun {
  let schedule: Schedule
  let costs: [StageCosts]
  let routes: Routes
  let overlaps: Bool
  let detailed: Bool
  var next: [Int]
  /// For each stage, whether its next message with replicas' gradients has been written.
  var hasWritten: [Bool]
  /// When each message arrives: `unsent` until it is sent, `awaited` if its receiver is already waiting.
  var arrival: [Double]
  /// When uplinks, downlinks and media become free, and for how long each was occupied.
  var free: [Double]
  var taken: [Double]
  var heap = EventHeap()
  var result: Simulation
  let marked: Int
  var bytes: [Int: Int] = [:]
  let stageOf: [Int: Int]

  static let unsent = -1.0
  static let awaited = -2.0

  init(_ schedule: Schedule, _ costs: [StageCosts], _ simulator: Simulator, detailed: Bool) {
    (self.schedule, self.costs, self.detailed) = (schedule, costs, detailed)
    routes = simulator.routes
    overlaps = simulator.overlapsTransfers
    next = Array(schedule.starts.dropLast())
    hasWritten = [Bool](repeating: false, count: schedule.stages.count)
    arrival = [Double](repeating: Self.unsent, count: schedule.messageLimit)
    free = [Double](repeating: 0, count: 2 * schedule.deviceCount + routes.networkCount)
    taken = free
    marked = schedule.stages.firstIndex { $0.trains } ?? schedule.stages.count - 1
    stageOf = Dictionary(
      schedule.stages.enumerated().map { ($1.device, $0) }, uniquingKeysWith: { first, _ in first })
    result = Simulation(
      stepTime: 0, ends: [Double](repeating: 0, count: schedule.steps), makespan: 0,
      busy: [Double](repeating: 0, count: schedule.stages.count))
  }

  mutating func finish() -> Simulation {
    for stage in schedule.stages.indices { advance(stage, 0) }
    while let event = heap.pop() {
      result.makespan = event.time
      advance(event.stage, event.time)
    }
    precondition(
      schedule.stages.indices.allSatisfy { next[$0] == schedule.starts[$0 + 1] },
      "an unchecked schedule: it deadlocks")
    let steps = Double(schedule.steps)
    let window = max(schedule.steps / 2, 1)
    let last = schedule.steps - 1
    let start = last - window >= 0 ? result.ends[last - window] : 0
    let most = max((result.busy.max() ?? 0), taken.max() ?? 0) / steps
    let step = (result.ends[last] - start) / Double(window)
    result.stepTime = step.isFinite ? max(step, most) : .infinity
    result.traffic = bytes.sorted { $0.key < $1.key }.map {
      Simulation.Traffic(
        from: $0.key / schedule.deviceCount, to: $0.key % schedule.deviceCount, bytes: $0.value)
    }
    return result
  }

  /// Runs a stage's list until it has to wait.
  private mutating func advance(_ stage: Int, _ now: Double) {
    let end = schedule.starts[stage + 1]
    while next[stage] < end {
      let operation = schedule.operations[next[stage]]
      switch operation {
      case .receive(let message):
        let time = arrival[message.number]
        if time < 0 {
          arrival[message.number] = Self.awaited
          return
        }
        if time > now {
          heap.push(Event(time: time, stage: stage))
          return
        }
        next[stage] += 1
        if message.content.isSums {
          heap.push(Event(time: now + take(message, at: stage), stage: stage))
          return
        }
      case .send(let message):
        if message.content.isSums {
          hasWritten[stage].toggle()
          if hasWritten[stage] {
            let seconds = costs[stage].sum.copy * Double(message.bytes)
            heap.push(Event(time: now + seconds, stage: stage))
            return
          }
        }
        let handedOver = send(message, from: schedule.stages[stage].device, now)
        next[stage] += 1
        if !overlaps, handedOver > now {
          heap.push(Event(time: handedOver, stage: stage))
          return
        }
      case .forward(let unit):
        return compute(stage, costs[stage].forward[unit.pass], step: unit.step, now)
      case .backward(let unit):
        return compute(stage, costs[stage].backward, step: unit.step, now)
      case .update(let step):
        return compute(stage, costs[stage].update, step: step, now)
      }
    }
  }

  /// Computes for some seconds, after which the stage's list goes on.
  private mutating func compute(_ stage: Int, _ seconds: Double, step: Int, _ now: Double) {
    result.busy[stage] += seconds
    if stage == marked { result.ends[step] = now + seconds }
    if detailed {
      result.spans.append(
        Simulation.Span(stage: stage, operation: next[stage], start: now, end: now + seconds))
    }
    next[stage] += 1
    heap.push(Event(time: now + seconds, stage: stage))
  }

  /// Seconds to take replicas' gradients out of a message. Those from a replica farther from the root are
  /// added; those from a replica nearer to it are the final sum, which is copied.
  private func take(_ message: StageOperation.Message, at stage: Int) -> Double {
    let sum = costs[stage].sum
    let isSum = stageOf[message.peer].map {
      schedule.stages[$0].pipeline < schedule.stages[stage].pipeline
    }
    return (isSum ?? false ? sum.copy : sum.add) * Double(message.bytes)
  }

  /// Occupies the route of a message. Returns when the last byte has left.
  private mutating func send(_ message: StageOperation.Message, from: Int, _ now: Double) -> Double {
    let (to, id) = (message.peer, message.number)
    var (left, arrives) = (Double.infinity, Double.infinity)
    if let route = routes.route(from, to) {
      let seconds = Double(message.bytes) / route.bandwidth
      let (out, into) = (2 * from, 2 * to + 1)
      var start = max(now, free[out], free[into])
      if route.medium >= 0 {
        let medium = 2 * schedule.deviceCount + route.medium
        start = max(start, free[medium])
        free[medium] = start + seconds
        taken[medium] += seconds
      }
      left = start + seconds
      arrives = left + route.latency
      free[out] = left
      free[into] = left
      taken[out] += seconds
      taken[into] += seconds
    }
    if detailed { bytes[from * schedule.deviceCount + to, default: 0] += message.bytes }
    if arrival[id] == Self.awaited, let stage = stageOf[to] {
      heap.push(Event(time: arrives, stage: stage))
    }
    arrival[id] = arrives
    return left
  }
}

/// The time at which a stage can continue.
struct Event {
  let time: Double
  let stage: Int

  static func < (a: Event, b: Event) -> Bool { a.time != b.time ? a.time < b.time : a.stage < b.stage }
}

/// A binary heap. The earliest event comes first; of simultaneous ones, that of the lower stage.
struct EventHeap {
  private var events: [Event] = []

  mutating func push(_ event: Event) {
    events.append(event)
    var child = events.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard event < events[parent] else { break }
      events[child] = events[parent]
      child = parent
    }
    events[child] = event
  }

  mutating func pop() -> Event? {
    guard let first = events.first, let last = events.popLast() else { return nil }
    guard !events.isEmpty else { return first }
    var hole = 0
    while true {
      var child = 2 * hole + 1
      guard child < events.count else { break }
      if child + 1 < events.count, events[child + 1] < events[child] { child += 1 }
      guard events[child] < last else { break }
      events[hole] = events[child]
      hole = child
    }
    events[hole] = last
    return first
  }
}
