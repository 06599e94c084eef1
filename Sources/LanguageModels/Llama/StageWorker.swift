import Tensor

/// A worker's operations, and the scratch buffers that its passes share.
///
/// Not to be used by two threads at once.
package final class StageWorker: @unchecked Sendable {
  /// The operations that the worker computes with.
  package let operations: any TensorOperations
  let scratch: Scratch
  /// The capacity in rows.
  package let rows: Int
  private let memory: DeviceMemory

  /// Allocates scratch for passes of at most `rows` rows.
  package init(
    _ stage: LlamaStage, rows: Int, adapter: DeviceAdapter?, backward: Bool = true, threads: Int = 1
  ) {
    self.rows = PackedBatch.padded(rows)
    (memory, scratch) = stage.allocate(
      rows: PackedBatch.padded(rows), adapter: adapter, backward: backward
    ) { Scratch(&$0) }
    operations = stage.device.makeOperations(threads: threads)
  }

  /// Bytes allocated.
  package var byteCount: Int { memory.byteCount }
}
