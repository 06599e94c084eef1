import ContextGear
import Transport

/// Gradients between two replicas: two numbers, then the float32 values of the layers that both stages hold. On
/// the way to the root the numbers are loss and tokens, on the way back the loss and the norm of all.
///
/// The values are read and written where they lie: there are millions of them in every step.
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

  /// A buffer is aligned to 64 bytes and the header has 16.
  var values: UnsafeMutablePointer<Float> {
    guard let base = buffer.bytes.baseAddress else { preconditionFailure("a message without memory") }
    return (base + Schedule.sumsHeaderBytes).assumingMemoryBound(to: Float.self)
  }
}
