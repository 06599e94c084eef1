import COpenMPI
import Transport

/// The MPI requests in flight. Used only by the thread that makes the MPI calls.
struct Flight {
  /// A message. If it is longer than MPI can count, it has several parts.
  private final class Message {
    let transfer: Transfer
    var partsLeft = 0
    var bytes = 0
    var error: TransportError?

    init(_ transfer: Transfer) { self.transfer = transfer }
  }

  private struct Part {
    var request: cmpi_request
    let count: Int
    let message: Message
  }

  private let largestPart: Int
  private var parts: [Part] = []

  init(largestPart: Int) { self.largestPart = largestPart }

  var isEmpty: Bool { parts.isEmpty }

  mutating func start(_ transfer: Transfer) {
    let message = Message(transfer)
    var offset = 0
    repeat {
      let count = min(largestPart, transfer.count - offset)
      let bytes = transfer.buffer.bytes.baseAddress.map { $0 + offset }
      var request = cmpi_request()
      let (peer, tag) = (Int32(transfer.peer), transfer.tag.number)
      let error =
        switch transfer.direction {
        case .send: cmpi_send(bytes, Int32(count), peer, tag, &request)
        case .receive: cmpi_receive(bytes, Int32(count), peer, tag, &request)
        }
      guard error == 0 else {
        transfer.end(.failure(lost(transfer, error)))
        return
      }
      message.partsLeft += 1
      parts.append(Part(request: request, count: count, message: message))
      offset += count
    } while offset < transfer.count
  }

  /// Lets MPI make progress. Returns whether a request has ended.
  mutating func poll() -> Bool {
    let before = parts.count
    var kept = 0
    for index in parts.indices {
      var completion = cmpi_completion()
      if cmpi_test(&parts[index].request, &completion) == 0 {
        parts.swapAt(kept, index)
        kept += 1
      } else {
        finish(parts[index], completion)
      }
    }
    parts.removeLast(before - kept)
    return kept < before
  }

  /// Cancels the receives; they end in a later `poll`.
  mutating func cancelReceives() {
    for index in parts.indices where parts[index].message.transfer.direction == .receive {
      _ = cmpi_cancel(&parts[index].request)
    }
  }

  private func finish(_ part: Part, _ completion: cmpi_completion) {
    let (message, transfer) = (part.message, part.message.transfer)
    message.partsLeft -= 1
    message.bytes += transfer.direction == .send ? part.count : Int(completion.bytes)
    if completion.cancelled != 0 {
      message.error = .peerLost(
        rank: transfer.rank, waitingFor: transfer.description, peer: transfer.peer,
        reason: "the job has ended")
    } else if cmpi_is_truncation(completion.error) != 0 {
      message.error = wrongLength(transfer, "the message is longer")
    } else if completion.error != 0 {
      message.error = lost(transfer, completion.error)
    } else if transfer.direction == .receive && Int(completion.bytes) < part.count
      && transfer.count > largestPart
    {
      message.error = wrongLength(
        transfer,
        "the message is shorter, but one of more than \(largestPart) bytes must have exactly that length")
    }
    // An error ends the wait at once; the other parts keep the buffer alive until they have ended, too.
    if let error = message.error {
      transfer.end(.failure(error))
    } else if message.partsLeft == 0 {
      transfer.end(.success(message.bytes))
    }
  }

  private func lost(_ transfer: Transfer, _ error: Int32) -> TransportError {
    .peerLost(
      rank: transfer.rank, waitingFor: transfer.description, peer: transfer.peer,
      reason: mpiText { cmpi_error_text(error, $0) })
  }

  private func wrongLength(_ transfer: Transfer, _ detail: String) -> TransportError {
    .invalidMessage(
      rank: transfer.rank, waitingFor: transfer.description, peer: transfer.peer, detail: detail)
  }
}
