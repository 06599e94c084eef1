/// Prices schedules event by event.
///
/// - A device does its list in order; a computation takes what its profile says.
/// - A message takes the sender's way out, the receiver's way in, and the shared network if there is one, for
///   `bytes / bandwidth`, all at once and in the order in which messages are handed over (first in, first
///   out); it arrives `latency` later. So a stage's two neighbours share its uplink.
/// - A device copies the gradients that replicas add up into their message, and copies or adds them out of it, before it
///   continues.
/// - Devices of one machine slow each other, by as many of them as have a stage.
/// - Transfers run beside the computation; without `overlapsTransfers` the sender waits until its message is
///   on the wire.
package struct Simulator: Sendable {
  private let devices: [Device]
  let routes: Routes
  /// By machine, devices that compute for something else meanwhile.
  var busyBeside: [Int: Int] = [:]
  /// Whether transfers run beside the computation.
  package var overlapsTransfers = true

  /// Takes a cluster that was validated.
  package init(_ cluster: Cluster) {
    devices = cluster.devices
    routes = Routes(cluster)
  }

  /// By machine, how many of its devices compute.
  private func busyMachines(_ schedule: Schedule) -> [Int: Int] {
    schedule.stages.reduce(into: busyBeside) { busy, stage in
      if let machine = devices[stage.device].machine { busy[machine, default: 0] += 1 }
    }
  }

  /// A device beside the others of its machine that have work.
  private func device(_ place: Int, _ busy: [Int: Int]) -> Device {
    devices[place].beside(devices[place].machine.map { (busy[$0] ?? 1) - 1 } ?? 0)
  }

  /// Runs a schedule; a message between devices that nothing joins takes for ever.
  ///
  /// - Parameter detailed: whether to note when each operation ran and which bytes went where.
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

/// One run's state.
private struct SimulatorRun {
  let schedule: Schedule
  let costs: [StageCosts]
  let routes: Routes
  let overlaps: Bool
  let detailed: Bool
  var next: [Int]
  /// By stage, its next message with gradients of replicas has been written.
  var hasWritten: [Bool]
  /// When each message arrives; negative until it is sent, `awaited` once its receiver stands waiting.
  var arrival: [Double]
  /// When ways out, ways in and media are free, and how long they were taken.
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
      "a schedule that was not checked: it stands still")
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

  /// Goes on with a stage's list until it has to wait.
  private mutating func advance(_ stage: Int, _ now: Double) {
    let end = schedule.starts[stage + 1]
    while next[stage] < end {
      let operation = schedule.operations[next[stage]]
      switch operation.kind {
      case .receive:
        let time = arrival[Int(operation.message)]
        if time < 0 {
          arrival[Int(operation.message)] = Self.awaited
          return
        }
        if time > now {
          heap.push(Event(time: time, stage: stage))
          return
        }
        next[stage] += 1
        if operation.payload == .sums {
          heap.push(Event(time: now + take(operation), stage: stage))
          return
        }
      case .send:
        if operation.payload == .sums {
          hasWritten[stage].toggle()
          if hasWritten[stage] {
            let seconds = costs[stage].sum.copy * Double(operation.bytes)
            heap.push(Event(time: now + seconds, stage: stage))
            return
          }
        }
        let handedOver = send(operation, now)
        next[stage] += 1
        if !overlaps, handedOver > now {
          heap.push(Event(time: handedOver, stage: stage))
          return
        }
      case .forward, .backward, .update:
        let seconds =
          switch operation.kind {
          case .forward: costs[stage].forward[Int(operation.pass)]
          case .backward: costs[stage].backward
          default: costs[stage].update
          }
        result.busy[stage] += seconds
        if stage == marked { result.ends[Int(operation.step)] = now + seconds }
        if detailed {
          result.spans.append(Simulation.Span(operation: next[stage], start: now, end: now + seconds))
        }
        next[stage] += 1
        heap.push(Event(time: now + seconds, stage: stage))
        return
      }
    }
  }

  /// Seconds to take replicas' gradients out of a message: from farther from the root they are added, from nearer
  /// they are the sum.
  private func take(_ operation: Operation) -> Double {
    let own = Int(operation.stage)
    let sum = costs[own].sum
    let isSum = stageOf[Int(operation.peer)].map {
      schedule.stages[$0].pipeline < schedule.stages[own].pipeline
    }
    return (isSum ?? false ? sum.copy : sum.add) * Double(operation.bytes)
  }

  /// Takes the ways for a message; returns when the last byte has left.
  private mutating func send(_ operation: Operation, _ now: Double) -> Double {
    let from = schedule.stages[Int(operation.stage)].device
    let to = Int(operation.peer)
    let id = Int(operation.message)
    var (left, arrives) = (Double.infinity, Double.infinity)
    if let route = routes.route(from, to) {
      let seconds = Double(operation.bytes) / route.bandwidth
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
    if detailed { bytes[from * schedule.deviceCount + to, default: 0] += operation.bytes }
    if arrival[id] == Self.awaited, let stage = stageOf[to] {
      heap.push(Event(time: arrives, stage: stage))
    }
    arrival[id] = arrives
    return left
  }
}

/// A stage that can go on at a time.
struct Event {
  let time: Double
  let stage: Int

  static func < (a: Event, b: Event) -> Bool { a.time != b.time ? a.time < b.time : a.stage < b.stage }
}

/// A binary heap; the earliest event first, of equal ones that of the lower stage.
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
