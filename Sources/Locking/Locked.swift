#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A value protected by a lock: only one thread at a time can read or change it.
///
/// `Synchronization.Mutex` would do, but on Linux the thread sanitizer does not see its lock and reports
/// every access to the value. It does see the lock of a POSIX mutex.
///
/// `@unchecked Sendable`: the value is accessed only under the lock.
package final class Locked<Value>: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private var value: Value

  package init(_ value: Value) {
    self.value = value
    lock = .allocate(capacity: 1)
    let status = pthread_mutex_init(lock, nil)
    precondition(status == 0, "pthread_mutex_init: \(status)")
  }

  deinit {
    pthread_mutex_destroy(lock)
    lock.deallocate()
  }

  /// Calls `body` with the value while holding the lock. The lock is not recursive: `body` must not call
  /// this.
  package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return try body(&value)
  }
}
