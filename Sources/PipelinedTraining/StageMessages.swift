import ContextGear
import LanguageModels
import Transport

/// The messages that a stage receives and sends.
extension StageRunner {
  func capacity(_ operation: StageOperation) -> Int {
    let k = pipeline.microBatch
    let pass = Int(operation.pass)
    switch operation.payload {
    case .activation: return message.byteCount(rows: k * longest[pass], options: pass * k)
    case .gradient: return message.byteCount(rows: k * longest[passCount], options: 0)
    case .answers: return 2 * (pass + 1) * k
    case .columns:
      return 4 * TrainableLayout(sites: sharedSites(operation), columns: refined.columns.count).count
    case .norm: return place == 0 ? 8 * (1 + sites(ofTrained: operation.peer).count) : 16
    case .sums:
      let columns = work.phase.columnView.trainable.count
      return ReplicaMessage.byteCount(
        values: TrainableLayout(sites: sharedSites(operation), columns: columns).count)
    case .none: return 0
    }
  }

  /// A buffer to receive a message into.
  func memory(for operation: StageOperation) -> MessageBuffer {
    let count = capacity(operation)
    return operation.payload == .sums ? messageMemory.take(count) : MessageBuffer(count: count)
  }

  func take(_ buffer: MessageBuffer, _ operation: StageOperation) throws {
    let step = window[Int(operation.step)]
    let range = range(operation)
    let pass = Int(operation.pass)
    let operations = (trainWorker ?? passMemory.first?.value.worker)?.operations
    switch operation.payload {
    case .activation:
      let count = pass * range.count
      answers.read(
        message.options(buffer, count: count), step: step.step, known: pass, of: range,
        in: step.samples.count)
      if isTrained(operation) {
        let flight = try takeFlight(operation)
        let worker = worker(rows: flight.activations.rows)
        message.decode(
          buffer, options: count, batch: flight.batch, into: flight.activations.hidden, worker.operations)
      } else {
        let passing = try question(operation)
        self.passing = passing
        guard passing.batch.rowCount > 0 else { return }
        let memory = memory(pass: pass, rows: passing.batch.rowCount)
        message.decode(
          buffer, options: count, batch: passing.batch, into: memory.activations.hidden,
          memory.worker.operations)
      }
    case .gradient:
      guard let operations else { preconditionFailure("\(operation) before any forward pass") }
      let flight = held(operation)
      message.decode(
        buffer, options: 0, batch: flight.batch, into: flight.activations.hiddenGradient, operations)
    case .answers:
      answers.read(
        Plain.values(buffer.bytes.prefix(2 * (pass + 1) * range.count), as: Int16.self), step: step.step,
        known: pass + 1, of: range, in: step.samples.count)
    case .columns:
      let sites = sharedSites(operation)
      refined.record(
        Plain.values(buffer.bytes, as: Float.self), sites: sites,
        before: step.step - work.options.staleness)
      if step.step > 1 { answers.remove(step: step.step - 2) }
    case .norm:
      let values = Plain.values(buffer.bytes, as: Double.self)
      if place == 0 { shares[stageIndex(operation.peer)] = values } else { total = (values[0], values[1]) }
    case .sums:
      guard let trainer else { preconditionFailure("\(operation) at a stage that only answers") }
      let message = ReplicaMessage(buffer: buffer)
      defer { messageMemory.giveBack(buffer) }
      if isNearerToRoot(operation) {
        total = (message.first, message.second)
        trainer.replaceGradients(message.values, of: sharedSites(operation))
      } else {
        guard let count = Int(exactly: message.second), (0...1 << 40).contains(count) else {
          throw TransportError.wrongLength(
            rank: link.transport.rank, waitingFor: "\(operation)", peer: Int(operation.peer),
            detail: "what came is not a sum of gradients")
        }
        trainer.loss += message.first
        tokens += count
        trainer.addGradients(message.values, of: sharedSites(operation))
      }
    case .none: preconditionFailure("\(operation): carries nothing")
    }
  }

  func outgoing(_ operation: StageOperation) throws -> MessageBuffer {
    let step = window[Int(operation.step)]
    let range = range(operation)
    let pass = Int(operation.pass)
    switch operation.payload {
    case .activation where isTrained(operation):
      let flight = held(operation)
      return message.encode(
        flight.activations.hidden, rows: flight.batch.rowCount,
        options: answers.options(step: step.step, known: pass, of: range),
        worker(rows: flight.activations.rows).operations)
    case .activation:
      guard let passing else { preconditionFailure("\(operation) before its forward pass") }
      self.passing = nil
      let memory = memory(pass: pass, rows: max(passing.batch.rowCount, 1))
      return message.encode(
        memory.activations.hidden, rows: passing.batch.rowCount,
        options: answers.options(step: step.step, known: pass, of: range), memory.worker.operations)
    case .gradient:
      let flight = flying[Int(operation.microBatch)]
      guard let flight else {
        // An empty micro-batch is released by its backward pass.
        return MessageBuffer(count: 0)
      }
      defer { release(operation) }
      return message.encode(
        flight.activations.hiddenGradient, rows: flight.batch.rowCount, options: [],
        worker(rows: flight.activations.rows).operations)
    case .answers:
      return MessageBuffer(
        Plain.bytes(answers.options(step: step.step, known: pass + 1, of: range)))
    case .columns:
      return MessageBuffer(
        Plain.bytes(refined.values(before: step.step + 1, sites: sharedSites(operation))))
    case .norm:
      guard place == 0 else { return MessageBuffer(Plain.bytes(trainer?.share ?? [])) }
      let total = total ?? join()
      self.total = total
      return MessageBuffer(Plain.bytes([total.loss, total.norm]))
    case .sums:
      guard let trainer else { preconditionFailure("\(operation) at a stage that only answers") }
      let message = ReplicaMessage(buffer: messageMemory.take(capacity(operation)))
      trainer.readGradients(of: sharedSites(operation), into: message.values)
      if isNearerToRoot(operation) {
        // A stage's loss travels with its first layer's gradient, so that it counts once, however the other
        // replica is partitioned. Every stage sees all tokens, so only the first one's count is used.
        let isFirst = stageLayers(of: operation.peer).contains(stage.layers.lowerBound)
        message.first = isFirst ? trainer.loss : 0
        message.second = isFirst && stage.isFirst ? Double(tokens) : 0
        return message.buffer
      }
      let total = total ?? join()
      self.total = total
      message.first = total.loss
      message.second = total.norm
      return message.buffer
    case .none: preconditionFailure("\(operation): carries nothing")
    }
  }

  // MARK: Other stages

  func stageIndex(_ device: Int32) -> Int {
    pipeline.trained.firstIndex { $0.device == Int(device) } ?? 0
  }

  /// The layers of another rank.
  func stageLayers(of device: Int32) -> Range<Int> {
    for pipeline in work.plan.pipelines {
      let found = (pipeline.trained + pipeline.forward).first { $0.device == Int(device) }
      if let found { return found.layers }
    }
    preconditionFailure("device \(device) has no part in the plan")
  }

  /// Whether the other replica is nearer to the root of the tree along which gradients are summed.
  private func isNearerToRoot(_ operation: StageOperation) -> Bool {
    (work.pipelineIndex(of: Int(operation.peer)) ?? 0) < pipelineIndex
  }

  func sites(ofTrained device: Int32) -> [TargetModule] {
    allSites.filter { pipeline.trained[stageIndex(device)].layers.contains($0.layer) }
  }

  /// The adapted layers that both this rank and another one have.
  func sharedSites(_ operation: StageOperation) -> [TargetModule] {
    let other = stageLayers(of: operation.peer)
    return adapter.sites.filter { other.contains($0.layer) }
  }
}
