import ContextGear
import Transport

/// Gradients exchanged between two replicas: two numbers, then the float32 values of the layers that both
/// stages have. On the way to the root, the numbers are the loss and the token count; on the way back, the
/// loss and the norm over all replicas.
///
/// The values are read and written in place, because there are millions of them in every step.
struct ReplicaMessage {
  let buffer: MessageBuffer

  static func byteCount(values: Int) -> Int { Schedule.sumsHeaderBytes + 4 * values }

  var first: Double {
    get { buffer.bytes.loadUnaligned(as: Double.self) }
    nonmutating set { buffer.bytes.storeBytes(of: newValue, as: Double.self) }
  }

  var second: Double {
    get { buffer.bytes.loadUnaligned(fromByteOffset: 8, as: Double.self) }
    nonmutating set { buffer.bytes.storeBytes(of: newValue, toByteOffset: 8, as: Double.self) }
  }

  /// A buffer is aligned to 64 bytes, and the header has 16 bytes.
  var values: UnsafeMutablePointer<Float> {
    guard let base = buffer.bytes.baseAddress else { preconditionFailure("a message without memory") }
    return (base + Schedule.sumsHeaderBytes).assumingMemoryBound(to: Float.self)
  }
}
