import Dispatch
import Locking

/// A value that one thread sets once and others wait for.
package final class Promise<Value: Sendable>: Sendable {
  private let value = Locked<Value?>(nil)
  /// Signalled when the value is set; every waiter that passes signals it again for the next.
  private let kept = DispatchSemaphore(value: 0)

  package init() {}

  package var isKept: Bool { value.withLock { $0 != nil } }

  /// Sets the value; only the first call counts.
  package func keep(_ new: Value) {
    let isFirst = value.withLock { value in
      defer { value = value ?? new }
      return value == nil
    }
    if isFirst { kept.signal() }
  }

  /// The value, or `nil` if the time is over first.
  package func wait(timeout: Duration) -> Value? {
    // The semaphore is signalled a moment after the value is set: a caller that has seen `isKept` must not
    // time out.
    if let value = value.withLock({ $0 }) { return value }
    guard kept.wait(timeout: timeout) else { return nil }
    kept.signal()
    return value.withLock { $0 }
  }
}

extension DispatchSemaphore {
  /// Returns whether the semaphore was signalled in time; a negative timeout has passed.
  @discardableResult
  package func wait(timeout: Duration) -> Bool {
    // About 30 years, in nanoseconds that Dispatch can represent.
    let nanoseconds = Int(min(max(timeout / .nanoseconds(1), 0), 1e18))
    return wait(timeout: .now() + .nanoseconds(nanoseconds)) == .success
  }
}
