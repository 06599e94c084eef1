import LanguageModels
import Tensor
import Transport

/// A micro-batch's residual stream, or its gradient, as a message: the options chosen so far, then, from the
/// next multiple of 64 bytes, the rows without padding.
struct ActivationMessage {
  let wire: WireFormat
  let hidden: Int

  private static func headerBytes(options: Int) -> Int { (2 * options + 63) / 64 * 64 }

  func byteCount(rows: Int, options: Int) -> Int {
    Self.headerBytes(options: options) + wire.byteCount(rows: rows, columns: hidden)
  }

  func encode(
    _ matrix: Matrix, rows: Int, options: [Int16], _ operations: any TensorOperations
  ) -> MessageBuffer {
    let buffer = MessageBuffer(count: byteCount(rows: rows, options: options.count))
    options.withUnsafeBytes { buffer.bytes.copyMemory(from: $0) }
    guard rows > 0 else { return buffer }
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows * hidden)
    defer { values.deallocate() }
    if let base = values.baseAddress { operations.read(matrix.rows(0..<rows), into: base) }
    wire.encode(
      UnsafeBufferPointer(values), columns: hidden, into: body(buffer, options: options.count))
    return buffer
  }

  func options(_ buffer: MessageBuffer, count: Int) -> [Int16] {
    Plain.values(buffer.bytes.prefix(2 * count), as: Int16.self)
  }

  /// Writes the rows to a matrix; padding rows become zero.
  func decode(
    _ buffer: MessageBuffer, options: Int, batch: PackedBatch, into matrix: Matrix,
    _ operations: any TensorOperations
  ) {
    let rows = batch.rowCount
    guard rows > 0 else { return }
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: rows * hidden)
    defer { values.deallocate() }
    wire.decode(UnsafeRawBufferPointer(body(buffer, options: options)), columns: hidden, into: values)
    if let base = values.baseAddress { operations.write(base, scale: 1, into: matrix.rows(0..<rows)) }
    operations.zero(matrix.rows(rows..<batch.paddedRowCount))
  }

  private func body(_ buffer: MessageBuffer, options: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[Self.headerBytes(options: options)...])
  }
}
