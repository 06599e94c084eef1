import ContextGear

/// Why a schedule cannot run, or does not do the required work.
enum ScheduleFault: Error, Equatable, CustomStringConvertible {
  /// The stages deadlock.
  case deadlock(waiting: [String])
  /// The two ends of a message do not match.
  case message(String)
  /// Work is missing, done twice, or done before its inputs.
  case work(String)

  var description: String {
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
  func check(_ plan: Plan, passes: Int, layers: Int) throws(ScheduleFault) {
    try checkMessages()
    try run()
    try checkWork(plan, passes: passes, layers: layers)
  }

  private func checkMessages() throws(ScheduleFault) {
    var sent = [End?](repeating: nil, count: messageLimit)
    var received = sent
    for (index, stage) in stages.enumerated() {
      for operation in operations(of: index) {
        let (message, isSend): (StageOperation.Message, Bool)
        switch operation {
        case .send(let own): (message, isSend) = (own, true)
        case .receive(let own): (message, isSend) = (own, false)
        case .forward, .backward, .update: continue
        }
        let id = message.number
        guard (0..<messageLimit).contains(id) else {
          throw .message("\(operation): a number beyond \(messageLimit)")
        }
        guard (isSend ? sent[id] : received[id]) == nil else { throw .message("\(operation): twice") }
        let end = End(operation: operation, message: message, device: stage.device)
        if isSend { sent[id] = end } else { received[id] = end }
      }
    }
    for id in 0..<messageLimit {
      switch (sent[id], received[id]) {
      case (nil, nil): continue
      case (let one?, nil), (nil, let one?): throw .message("\(one.operation): has no counterpart")
      case (let a?, let b?):
        guard a.message.peer == b.device, b.message.peer == a.device, a.message.bytes == b.message.bytes,
          a.message.content == b.message.content, a.device != b.device
        else { throw .message("\(a.operation) and \(b.operation) do not match") }
      }
    }
  }

  private struct End {
    let operation: StageOperation
    let message: StageOperation.Message
    let device: Int
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
          if case .receive(let message) = operation, !arrived[message.number] { break }
          if case .send(let message) = operation { arrived[message.number] = true }
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
      var forwards: Set<StageOperation.MicroBatchPass> = []
      var held = 0
      for operation in operations(of: index) {
        switch operation {
        case .forward(let pass):
          let unit = Unit(pipeline: stage.pipeline, backward: false, pass: pass.description)
          through[unit, default: 0] += stage.end - stage.first
          forwards.insert(pass)
          if stage.trains, pass.pass == passes { held += 1 }
        case .backward(let pass):
          let unit = Unit(pipeline: stage.pipeline, backward: true, pass: pass.description)
          through[unit, default: 0] += stage.end - stage.first
          guard forwards.contains(pass) else { throw .work("\(operation): before its forward") }
          held -= 1
        case .send, .receive, .update: continue
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
              let unit = Unit(pipeline: index, backward: backward, pass: "\(step).\(pass).\(micro)")
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
    let backward: Bool
    /// Its step, pass and micro-batch.
    let pass: String
  }
}
