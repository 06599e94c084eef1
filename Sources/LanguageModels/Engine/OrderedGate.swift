import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Admits numbered pieces of work in order, whichever finishes first. Sums then have a fixed order and do not
/// depend on the number of workers.
final class OrderedGate: @unchecked Sendable {
  // Unchecked: a POSIX mutex guards `next`.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var next = 0

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Waits until all pieces before `number` are done, runs `body`, and admits the next one.
  func pass(_ number: Int, _ body: () -> Void) {
    pthread_mutex_lock(mutex)
    while next != number { pthread_cond_wait(condition, mutex) }
    pthread_mutex_unlock(mutex)
    body()
    pthread_mutex_lock(mutex)
    next += 1
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }
}
