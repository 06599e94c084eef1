import ContextGear
import Transport

/// Gradients between two replicas: two numbers, then the float32 values of the layers that both stages hold. On
/// the way to the root the numbers are loss and tokens, on the way back the loss and the norm of all.
struct ReplicaMessage {
  let first: Double
  let second: Double
  let values: [Float]

  init(first: Double, second: Double, values: [Float]) {
    (self.first, self.second, self.values) = (first, second, values)
  }

  init(_ buffer: MessageBuffer) {
    let bytes = UnsafeRawBufferPointer(buffer.bytes)
    first = bytes.loadUnaligned(as: Double.self)
    second = bytes.loadUnaligned(fromByteOffset: 8, as: Double.self)
    // As memory, not as a collection of bytes: there are millions of them in every step.
    let body = UnsafeRawBufferPointer(rebasing: bytes[Schedule.sumsHeaderBytes...])
    values = [Float](unsafeUninitializedCapacity: body.count / 4) { values, filled in
      UnsafeMutableRawBufferPointer(values).copyMemory(from: body)
      filled = body.count / 4
    }
  }

  static func byteCount(values: Int) -> Int { Schedule.sumsHeaderBytes + 4 * values }

  var buffer: MessageBuffer {
    let buffer = MessageBuffer(count: Self.byteCount(values: values.count))
    buffer.bytes.storeBytes(of: first, as: Double.self)
    buffer.bytes.storeBytes(of: second, toByteOffset: 8, as: Double.self)
    values.withUnsafeBytes {
      UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[Schedule.sumsHeaderBytes...]).copyMemory(from: $0)
    }
    return buffer
  }
}
