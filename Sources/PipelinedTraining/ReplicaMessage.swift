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
    let numbers = Plain.values(buffer.bytes.prefix(Schedule.sumsHeaderBytes), as: Double.self)
    (first, second) = (numbers[0], numbers[1])
    values = Plain.values(buffer.bytes.dropFirst(Schedule.sumsHeaderBytes), as: Float.self)
  }

  static func byteCount(values: Int) -> Int { Schedule.sumsHeaderBytes + 4 * values }

  var buffer: MessageBuffer { MessageBuffer(Plain.bytes([first, second]) + Plain.bytes(values)) }
}
