import Locking

/// A job whose ranks are threads of this process.
///
/// A send ends only when its receive has taken the bytes. That is the strictest behaviour MPI allows: a
/// program that does not deadlock here does not rely on MPI's own buffers.
package final class InProcessTransport: Transport {
  /// This endpoint's rank.
  package let rank: Int
  /// The number of endpoints.
  package var size: Int { exchange.size }
  private let exchange: Exchange

  private init(rank: Int, exchange: Exchange) { (self.rank, self.exchange) = (rank, exchange) }

  /// The endpoints of a job, one per rank.
  package static func job(size: Int) -> [InProcessTransport] {
    precondition(size > 0, "a job needs a rank")
    let exchange = Exchange(size: size)
    return (0..<size).map { InProcessTransport(rank: $0, exchange: exchange) }
  }

  package func start(_ transfer: Transfer) { exchange.start(transfer) }

  /// Fails all waits of every rank, now and later. The code has no meaning here.
  package func abort(_ message: String, blaming suspect: Int?, code: Int32) {
    let notice = AbortNotice(rank: rank, suspect: suspect, message: message)
    exchange.endAll(because: .aborted(notice))
  }

  /// Removes this rank from the job, as if its process had died: transfers with it fail.
  package func leave(_ reason: String) { exchange.endAll(because: .left(rank, reason)) }
}

/// Matches sends with receives.
private final class Exchange: Sendable {
  enum Failure {
    case aborted(AbortNotice)
    case left(Int, String)

    /// The error of a transfer that this failure ends; `nil` if it does not affect the transfer.
    func error(for transfer: Transfer) -> TransportError? {
      switch self {
      case .aborted(let notice):
        return .aborted(byRank: notice.rank, message: notice.message)
      case .left(let rank, let reason):
        guard transfer.peer == rank || transfer.rank == rank else { return nil }
        return .peerLost(
          rank: transfer.rank, waitingFor: transfer.description, peer: transfer.peer, reason: reason)
      }
    }
  }

  private struct Route: Hashable {
    let source: Int
    let destination: Int
    let tag: Tag
  }

  private struct State {
    /// Transfers without their other end, in the order in which they were started. Those of one route all
    /// have the same direction.
    var waiting: [Route: [Transfer]] = [:]
    var failures: [Failure] = []
  }

  private enum Step {
    case wait
    case fail(TransportError)
    case meet(Transfer)
  }

  let size: Int
  private let state = Locked(State())

  init(size: Int) { self.size = size }

  func start(_ transfer: Transfer) {
    let sends = transfer.direction == .send
    let route = Route(
      source: sends ? transfer.rank : transfer.peer, destination: sends ? transfer.peer : transfer.rank,
      tag: transfer.tag)
    let step = state.withLock { state -> Step in
      for failure in state.failures {
        if let error = failure.error(for: transfer) { return .fail(error) }
      }
      guard let other = state.waiting[route]?.first, other.direction != transfer.direction else {
        state.waiting[route, default: []].append(transfer)
        return .wait
      }
      state.waiting[route]?.removeFirst()
      return .meet(other)
    }
    switch step {
    case .wait: break
    case .fail(let error): transfer.end(.failure(error))
    case .meet(let other): pass(from: sends ? transfer : other, to: sends ? other : transfer)
    }
  }

  private func pass(from send: Transfer, to receive: Transfer) {
    if send.count <= receive.count {
      UnsafeMutableRawBufferPointer(rebasing: receive.buffer.bytes[..<send.count])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: send.buffer.bytes[..<send.count]))
      receive.end(.success(send.count))
    } else {
      receive.end(
        .failure(
          .invalidMessage(
            rank: receive.rank, waitingFor: receive.description, peer: send.rank,
            detail: "the message has \(send.count) bytes")))
    }
    send.end(.success(send.count))
  }

  func endAll(because failure: Failure) {
    let ended = state.withLock { state -> [(Transfer, TransportError)] in
      state.failures.append(failure)
      var ended: [(Transfer, TransportError)] = []
      for (route, transfers) in state.waiting {
        state.waiting[route] = transfers.filter { transfer in
          guard let error = failure.error(for: transfer) else { return true }
          ended.append((transfer, error))
          return false
        }
      }
      return ended
    }
    for (transfer, error) in ended { transfer.end(.failure(error)) }
  }
}
