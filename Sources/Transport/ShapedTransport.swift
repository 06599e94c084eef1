import Dispatch
import Foundation
import Locking

/// Slows another transport's sends down to the speed of described links.
///
/// A message is passed on at the moment at which its last byte would arrive, so receivers see the described
/// bandwidths and latencies over any faster transport. Heartbeats and receives are not delayed.
package final class ShapedTransport: Transport {
  package var rank: Int { base.rank }
  package var size: Int { base.size }
  private let base: any Transport
  private let held: HeldMessages

  /// - Parameters:
  ///   - base: the transport that carries the messages.
  ///   - links: this rank's links to the others.
  package init(_ base: any Transport, links: OutgoingLinks) {
    self.base = base
    held = HeldMessages(links)
    let held = held
    let thread = Thread { held.run { base.start($0) } }
    thread.name = "shaped links"
    thread.start()
  }

  deinit { held.stop() }

  /// Starts a transfer; a send only when it has passed its link.
  package func start(_ transfer: Transfer) {
    if transfer.direction == .send { held.add(transfer) } else { base.start(transfer) }
  }

  package func abort(_ message: String, blaming suspect: Int?, code: Int32) {
    base.abort(message, blaming: suspect, code: code)
  }
}

/// Sends that are still on their described link, and the loop that releases them.
private final class HeldMessages: Sendable {
  private struct State {
    var links: OutgoingLinks
    /// By time of arrival; equal times in the order in which they were added.
    var messages: [(due: Double, transfer: Transfer)] = []
    var isStopped = false
  }

  private let state: Locked<State>
  private let start = ContinuousClock.now
  /// Seconds since the start.
  private var now: Double { (ContinuousClock.now - start) / .seconds(1) }
  private let changed = DispatchSemaphore(value: 0)

  init(_ links: OutgoingLinks) { state = Locked(State(links: links)) }

  func add(_ transfer: Transfer) {
    state.withLock { state in
      let due = state.links.arrival(of: transfer.count, to: transfer.peer, now: now)
      let index = state.messages.firstIndex { $0.due > due } ?? state.messages.endIndex
      state.messages.insert((due, transfer), at: index)
    }
    changed.signal()
  }

  /// Ends `run` once the messages still held have gone out at their times.
  func stop() {
    state.withLock { $0.isStopped = true }
    changed.signal()
  }

  func run(_ letGo: (Transfer) -> Void) {
    while true {
      let (due, next, isStopped) = state.withLock { state -> ([Transfer], Double?, Bool) in
        let now = now
        let due = state.messages.prefix { $0.due <= now }.map(\.transfer)
        state.messages.removeFirst(due.count)
        return (due, state.messages.first?.due, state.isStopped)
      }
      due.forEach(letGo)
      if let next {
        changed.wait(timeout: .seconds(min(next - now, 3600)))
      } else if isStopped {
        return
      } else {
        changed.wait()
      }
    }
  }
}
