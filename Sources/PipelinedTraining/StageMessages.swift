import ContextGear
import LanguageModels
import Transport

/// The messages that a stage receives and sends.
extension StageRunner {
  /// A buffer to receive a message into.
  func buffer(for message: StageOperation.Message) -> MessageBuffer {
    let count = capacity(message)
    return message.content.isSums ? messageMemory.take(count) : MessageBuffer(count: count)
  }

  /// The maximum length of a message in bytes.
  private func capacity(_ message: StageOperation.Message) -> Int {
    let k = position.pipeline.microBatch
    switch message.content {
    case .activation(let unit):
      return self.message.byteCount(rows: k * longest[unit.pass], options: unit.pass * k)
    case .gradient(let unit): return self.message.byteCount(rows: k * longest[unit.pass], options: 0)
    case .answers(let unit): return 2 * (unit.pass + 1) * k
    case .columns:
      let columns = predictions.refined.columns.count
      return 4 * TrainableLayout(modules: sharedModules(message.peer), columns: columns).count
    case .norm:
      guard position.index == 0 else { return 16 }
      let layers = position.other(message.peer).layers
      return 8 * (1 + allModules.count { layers.contains($0.layer) })
    case .sums:
      let columns = work.phase.columnView.trainable.count
      return ReplicaMessage.byteCount(
        values: TrainableLayout(modules: sharedModules(message.peer), columns: columns).count)
    }
  }

  /// Processes a received message.
  ///
  /// - Parameter count: the message's length in bytes; the buffer may be longer.
  /// - Throws: the errors of the data, and `TransportError.invalidMessage` for a length or values that the
  ///   message cannot have.
  func take(_ buffer: MessageBuffer, count: Int, _ message: StageOperation.Message) throws {
    func check(_ expected: Int) throws(TransportError) {
      if count != expected {
        throw invalid(message, "expected \(expected) bytes, received \(count)")
      }
    }
    switch message.content {
    case .activation(let unit):
      let micro = window.microBatch(unit)
      let known = unit.pass * micro.positions.count
      guard count >= 2 * known else { return try check(self.message.byteCount(rows: 0, options: known)) }
      try read(self.message.options(buffer, count: known), micro, known: unit.pass, message)
      func checkRows(_ rows: Int) throws { try check(self.message.byteCount(rows: rows, options: known)) }
      if unit.pass == work.passes.count {
        try trained(message).receiveActivation(buffer, micro, check: checkRows)
      } else {
        try predictions.receive(buffer, micro, check: checkRows)
      }
    case .gradient(let unit):
      let micro = window.microBatch(unit)
      try trained(message).receiveGradient(buffer, micro) {
        try check(self.message.byteCount(rows: $0, options: 0))
      }
    case .answers(let unit):
      let micro = window.microBatch(unit)
      let known = unit.pass + 1
      try check(2 * known * micro.positions.count)
      try read(Plain.values(buffer.bytes.prefix(count), as: Int16.self), micro, known: known, message)
    case .columns(let update):
      let step = window[update].step
      predictions.refined.record(
        Plain.values(buffer.bytes, as: Float.self), modules: sharedModules(message.peer), before: step + 1)
      // This stage now starts the step that predicts with these columns. All stages of `D_f` have answered
      // the steps before the previous one.
      predictions.answers.remove(step: step + work.options.staleness - 1)
    case .norm:
      let values = Plain.values(buffer.bytes, as: Double.self)
      if position.index == 0 {
        total.add(values, ofStage: position.other(message.peer).index)
      } else {
        total.set((values[0], values[1]))
      }
    case .sums: try takeSums(ReplicaMessage(buffer: buffer), message)
    }
  }

  private func invalid(_ message: StageOperation.Message, _ detail: String) -> TransportError {
    link.transport.invalid("\(message)", from: message.peer, detail)
  }

  /// Stores the options that earlier passes chose.
  ///
  /// - Throws: `TransportError.invalidMessage` for an option that its question does not have.
  private func read(
    _ options: [Int16], _ micro: MicroBatch, known: Int, _ message: StageOperation.Message
  ) throws(TransportError) {
    for (index, option) in options.enumerated() where option != AnswerTable.recorded {
      let (pass, offset) = index.quotientAndRemainder(dividingBy: micro.positions.count)
      let sample = micro.batch.samples[micro.positions.lowerBound + offset]
      guard (0..<samples.optionCount(work.passes[pass].task, sample: sample)).contains(Int(option)) else {
        throw invalid(message, "it answers with option \(option), which the question does not have")
      }
    }
    predictions.answers.read(
      options, step: micro.step, known: known, of: micro.positions, in: micro.batch.samples.count)
  }

  private func takeSums(_ sums: ReplicaMessage, _ message: StageOperation.Message) throws {
    let training = trained(message)
    let shared = sharedModules(message.peer)
    defer { messageMemory.giveBack(sums.buffer) }
    if position.isFartherFromRoot(than: message.peer) {
      total.set((sums.first, sums.second))
      training.trainer.replaceGradients(sums.values, of: shared)
      return
    }
    guard let count = Int(exactly: sums.second), (0...1 << 40).contains(count) else {
      throw invalid(message, "it counts \(sums.second) tokens")
    }
    training.trainer.loss += sums.first
    training.tokens += count
    training.trainer.addGradients(sums.values, of: shared)
  }

  /// Builds a message to send.
  ///
  /// - Throws: the errors of the data.
  func outgoing(_ message: StageOperation.Message) throws -> MessageBuffer {
    switch message.content {
    case .activation(let unit):
      let micro = window.microBatch(unit)
      return unit.pass == work.passes.count
        ? trained(message).sendActivation(micro) : predictions.send(micro)
    case .gradient(let unit): return trained(message).sendGradient(window.microBatch(unit))
    case .answers(let unit):
      let micro = window.microBatch(unit)
      return MessageBuffer(
        Plain.bytes(predictions.answers.options(step: micro.step, known: unit.pass + 1, of: micro.positions)))
    case .columns(let update):
      return MessageBuffer(
        Plain.bytes(
          predictions.refined.values(before: window[update].step + 1, modules: sharedModules(message.peer))))
    case .norm:
      let trainer = trained(message).trainer
      guard position.index == 0 else { return MessageBuffer(Plain.bytes(trainer.share)) }
      let total = total.join(trainer.share)
      return MessageBuffer(Plain.bytes([total.loss, total.norm]))
    case .sums: return outgoingSums(message)
    }
  }

  private func outgoingSums(_ message: StageOperation.Message) -> MessageBuffer {
    let training = trained(message)
    let sums = ReplicaMessage(buffer: messageMemory.take(capacity(message)))
    training.trainer.readGradients(of: sharedModules(message.peer), into: sums.values)
    if position.isFartherFromRoot(than: message.peer) {
      // A stage's loss travels with its first layer's gradient, so that it counts once, however the other
      // replica is partitioned. Every stage sees all tokens, so only the first one's count is used.
      let isFirst = position.other(message.peer).layers.contains(stage.layers.lowerBound)
      sums.first = isFirst ? training.trainer.loss : 0
      sums.second = isFirst && stage.isFirst ? Double(training.tokens) : 0
    } else {
      let total = total.join(training.trainer.share)
      (sums.first, sums.second) = (total.loss, total.norm)
    }
    return sums.buffer
  }

  /// The adapted modules that both this stage and another one have.
  private func sharedModules(_ device: Int) -> [TargetModule] {
    let other = position.other(device).layers
    return adapter.modules.filter { other.contains($0.layer) }
  }
}
