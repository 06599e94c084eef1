import ContextGear
import LanguageModels
import Tensor
import Transport

/// Computes the gradients of one stage's layers: runs this rank's operations of a schedule, and exchanges
/// activations and gradients with its neighbours.
///
/// Gradients of micro-batches are added in their order, as one process does, so that with float32 on the
/// wire the results are the same bits.
public final class PipelineStageEngine: GradientComputing {
  /// The gradient of the last step.
  public let gradients: GradientBuffer
  private let pipeline: Pipeline
  private let stage: LlamaStage
  private let adapter: AdapterView
  private let rows: Int
  private let worker: StageWorker
  /// The gradient of one micro-batch.
  private let own: GradientBuffer
  /// Memory for micro-batches in flight that is free now.
  private var free: [StageActivations] = []
  private var planned = 0
  /// This rank's operations by the number of micro-batches.
  private var lists: [Int: [Operation]] = [:]

  /// Memory for micro-batches of at most `rows` rows.
  public init(_ pipeline: Pipeline, stage: LlamaStage, adapter: AdapterView, rows: Int) {
    precondition(stage.layers == pipeline.layers, "a stage of other layers")
    self.pipeline = pipeline
    self.stage = stage
    self.adapter = adapter
    self.rows = rows
    gradients = GradientBuffer(adapter.layout, device: stage.device)
    own = GradientBuffer(adapter.layout, device: stage.device)
    worker = StageWorker(stage, rows: rows, adapter: adapter, threads: stage.device.workerCount)
    free = [StageActivations(stage, rows: rows, adapter: adapter)]
    planned = free[0].byteCount
  }

  /// Bytes of activations, scratch and gradients so far: memory for more micro-batches in flight is taken
  /// when the first step needs it, and kept.
  public var byteCount: Int { worker.byteCount + planned + 2 * gradients.flat.count * 4 }

  /// One step; the last stage returns the loss.
  public func step(_ batches: [PackedBatch], scale: Float) throws -> Double {
    let list = lists[batches.count] ?? pipeline.operations(count: batches.count)
    lists[batches.count] = list
    var inbox = Inbox(pipeline, list, hidden: stage.configuration.hiddenSize, batches)
    var sends: [Transfer] = []
    var flying: [Int: StageActivations] = [:]
    var loss = 0.0
    var backwards = 0
    for operation in list {
      let micro = Int(operation.microBatch)
      let batch = batches[micro]
      switch operation.kind {
      case .receive:
        let isActivation = operation.payload == .activation
        let activations = isActivation ? take(for: micro, &flying) : held(micro, flying)
        try inbox.next(
          into: isActivation ? activations.hidden : activations.hiddenGradient, batch, worker.operations)
      case .forward:
        let activations = flying[micro] ?? take(for: micro, &flying)
        if stage.isFirst {
          try stage.embed(
            batch.tokens, into: activations.hidden.rows(0..<batch.paddedRowCount), worker.operations)
        }
        stage.forward(batch, activations, adapter: adapter, worker)
        if stage.isLast { loss += stage.loss(batch, activations, scale: scale, worker) }
      case .backward:
        let activations = held(micro, flying)
        stage.backward(batch, activations, adapter: adapter, gradients: own, worker)
        if backwards == 0 {
          worker.operations.copy(own.flat, into: gradients.flat)
        } else {
          worker.operations.add(own.flat, to: gradients.flat)
        }
        backwards += 1
        if stage.isFirst { release(micro, &flying) }
      case .send:
        let activations = held(micro, flying)
        let isActivation = operation.payload == .activation
        let matrix = isActivation ? activations.hidden : activations.hiddenGradient
        sends.append(
          pipeline.transport.send(
            message(matrix, batch), to: Int(operation.peer), tag: Tag(Int(operation.message))))
        if !isActivation { release(micro, &flying) }
      case .update: break
      }
    }
    for send in sends { try send.wait(seconds: pipeline.deadline) }
    return loss
  }

  private func take(for micro: Int, _ flying: inout [Int: StageActivations]) -> StageActivations {
    let activations: StageActivations
    if let last = free.popLast() {
      activations = last
    } else {
      activations = StageActivations(stage, rows: rows, adapter: adapter)
      planned += activations.byteCount
    }
    flying[micro] = activations
    return activations
  }

  private func held(_ micro: Int, _ flying: [Int: StageActivations]) -> StageActivations {
    guard let activations = flying[micro] else {
      preconditionFailure("the schedule uses micro-batch \(micro) before its forward pass")
    }
    return activations
  }

  private func release(_ micro: Int, _ flying: inout [Int: StageActivations]) {
    if let activations = flying.removeValue(forKey: micro) { free.append(activations) }
  }

  /// A micro-batch's rows of a matrix, `[rows, hidden]`, as they go over the wire.
  private func message(_ matrix: Matrix, _ batch: PackedBatch) -> MessageBuffer {
    let rows = batch.paddedRowCount
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows * matrix.columns)
    defer { values.deallocate() }
    if let base = values.baseAddress { worker.operations.read(matrix.rows(0..<rows), into: base) }
    let buffer = MessageBuffer(count: pipeline.wire.byteCount(rows: rows, columns: matrix.columns))
    pipeline.wire.encode(UnsafeBufferPointer(values), columns: matrix.columns, into: buffer.bytes)
    return buffer
  }
}

/// The messages a rank receives in a step, asked for a few ahead so that they arrive while it computes.
private struct Inbox {
  /// Receives posted ahead: while one message is used the next two may arrive.
  private static let ahead = 3

  private let pipeline: Pipeline
  private let hidden: Int
  private let batches: [PackedBatch]
  private var coming: ArraySlice<Operation>
  private var posted: [(transfer: Transfer, buffer: MessageBuffer)] = []

  init(_ pipeline: Pipeline, _ list: [Operation], hidden: Int, _ batches: [PackedBatch]) {
    self.pipeline = pipeline
    self.hidden = hidden
    self.batches = batches
    coming = list.filter { $0.kind == .receive }[...]
    for _ in 0..<Self.ahead { post() }
  }

  private mutating func post() {
    guard let operation = coming.popFirst() else { return }
    let rows = batches[Int(operation.microBatch)].paddedRowCount
    let buffer = MessageBuffer(count: pipeline.wire.byteCount(rows: rows, columns: hidden))
    posted.append(
      (
        pipeline.transport.receive(
          into: buffer, from: Int(operation.peer), tag: Tag(Int(operation.message))), buffer
      ))
  }

  /// Waits for the next message of the list and writes it to a matrix.
  mutating func next(
    into matrix: Matrix, _ batch: PackedBatch, _ operations: any TensorOperations
  ) throws {
    let (transfer, buffer) = posted.removeFirst()
    post()
    try transfer.wait(seconds: pipeline.deadline)
    let rows = batch.paddedRowCount
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows * hidden)
    defer { values.deallocate() }
    pipeline.wire.decode(UnsafeRawBufferPointer(buffer.bytes), columns: hidden, into: values)
    if let base = values.baseAddress { operations.write(base, scale: 1, into: matrix.rows(0..<rows)) }
  }
}
