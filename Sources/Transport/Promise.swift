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
  package func wait(seconds: Double) -> Value? {
    // The semaphore is signalled a moment after the value is set: a caller that has seen `isKept` must not
    // time out.
    if let value = value.withLock({ $0 }) { return value }
    guard kept.wait(seconds: seconds) else { return nil }
    kept.signal()
    return value.withLock { $0 }
  }
}

extension DispatchSemaphore {
  /// Waits at most `seconds`, and not at all if they are negative. Returns whether the semaphore was
  /// signalled.
  @discardableResult
  package func wait(seconds: Double) -> Bool {
    // About 30 years, in nanoseconds that Dispatch can represent.
    let nanoseconds = Int(min(max(seconds, 0), 1e9) * 1e9)
    return wait(timeout: .now() + .nanoseconds(nanoseconds)) == .success
  }
}

/// A monotonic clock.
package enum Clock {
  /// Seconds since an arbitrary moment in the past.
  package static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }
}
