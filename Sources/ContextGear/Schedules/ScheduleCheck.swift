/// Why a schedule cannot run, or does not do the required work.
package enum ScheduleFault: Error, Equatable, CustomStringConvertible {
  /// The stages deadlock.
  case deadlock(waiting: [String])
  /// The two ends of a message do not match.
  case message(String)
  /// Work is missing, done twice, or done before its inputs.
  case work(String)

  package var description: String {
    switch self {
    case .deadlock(let waiting): "deadlock: \(waiting.joined(separator: "; "))"
    case .message(let text), .work(let text): text
    }
  }
}

extension Schedule {
  /// Runs the schedule without timing and checks the work it does.
  ///
  /// - Parameters:
  ///   - plan: the plan that it was built from.
  ///   - passes: the number of forward-only passes.
  /// - Throws: `ScheduleFault`, the first one found.
  package func check(_ plan: Plan, passes: Int, layers: Int) throws(ScheduleFault) {
    try checkMessages()
    try run()
    try checkWork(plan, passes: passes, layers: layers)
  }

  private func checkMessages() throws(ScheduleFault) {
    var sent = [StageOperation?](repeating: nil, count: messageLimit)
    var received = sent
    for operation in operations where operation.message >= 0 {
      let id = Int(operation.message)
      guard id < messageLimit else { throw .message("\(operation): a number beyond \(messageLimit)") }
      let isSend = operation.kind == .send
      guard (isSend ? sent[id] : received[id]) == nil else { throw .message("\(operation): twice") }
      if isSend { sent[id] = operation } else { received[id] = operation }
    }
    for id in 0..<messageLimit {
      switch (sent[id], received[id]) {
      case (nil, nil): continue
      case (let one?, nil), (nil, let one?): throw .message("\(one): has no counterpart")
      case (let a?, let b?):
        let ends = (stages[Int(a.stage)].device, stages[Int(b.stage)].device)
        guard a.peer == ends.1, b.peer == ends.0, a.bytes == b.bytes, a.payload == b.payload,
          ends.0 != ends.1
        else { throw .message("\(a) and \(b) do not match") }
      }
    }
  }

  /// Advances every stage as far as possible until all are done.
  private func run() throws(ScheduleFault) {
    var arrived = [Bool](repeating: false, count: messageLimit)
    var next = Array(starts.dropLast())
    var moved = true
    while moved {
      moved = false
      for stage in stages.indices {
        while next[stage] < starts[stage + 1] {
          let operation = operations[next[stage]]
          if operation.kind == .receive, !arrived[Int(operation.message)] { break }
          if operation.kind == .send { arrived[Int(operation.message)] = true }
          next[stage] += 1
          moved = true
        }
      }
    }
    let waiting = stages.indices.filter { next[$0] < starts[$0 + 1] }.map {
      "device \(stages[$0].device) waits at \(operations[next[$0]])"
    }
    guard waiting.isEmpty else { throw .deadlock(waiting: waiting) }
  }

  private func checkWork(_ plan: Plan, passes: Int, layers: Int) throws(ScheduleFault) {
    // The number of layers that each unit has passed through, over all stages.
    var through: [Unit: Int] = [:]
    for (index, stage) in stages.enumerated() {
      var forwards: Set<Unit> = []
      var held = 0
      for operation in operations(of: index) where operation.kind == .forward || operation.kind == .backward {
        var unit = Unit(
          pipeline: stage.pipeline, backward: operation.kind == .backward, step: operation.step,
          pass: operation.pass, micro: operation.microBatch)
        through[unit, default: 0] += stage.end - stage.first
        if operation.kind == .forward {
          forwards.insert(unit)
          if stage.trains, operation.pass == passes { held += 1 }
        } else {
          unit.backward = false
          guard forwards.contains(unit) else { throw .work("\(operation): before its forward") }
          held -= 1
        }
        guard held <= stage.inFlight || !stage.trains else {
          throw .work("device \(stage.device) holds \(held) micro-batches, not \(stage.inFlight)")
        }
      }
    }
    for (index, pipeline) in plan.pipelines.enumerated() {
      for step in 0..<steps {
        for micro in 0..<pipeline.count {
          for pass in 0...passes {
            for backward in pass == passes ? [false, true] : [false] {
              let unit = Unit(
                pipeline: index, backward: backward, step: Int32(step), pass: Int32(pass),
                micro: Int32(micro))
              guard through.removeValue(forKey: unit) == layers else {
                throw .work("\(unit): does not pass each of \(layers) layers once")
              }
            }
          }
        }
      }
    }
    guard through.isEmpty else { throw .work("work that no step requires") }
  }

  private struct Unit: Hashable {
    let pipeline: Int
    var backward: Bool
    let step, pass, micro: Int32
  }
}
