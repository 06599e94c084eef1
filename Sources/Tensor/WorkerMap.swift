import Locking
import Synchronization

extension ComputeDevice {
  /// Computes a value for each of `count` items on all workers. A worker takes the next item when it is done
  /// with its last one.
  ///
  /// - Returns: the values in the order of the items.
  /// - Throws: the error of the first item, in this order, that failed. Once one has failed, no more are begun.
  package func mapItems<Value: Sendable, Failure: Error>(
    _ count: Int, _ body: @Sendable (_ item: Int, _ worker: Int) throws(Failure) -> Value
  ) throws(Failure) -> [Value] {
    let next = Atomic<Int>(0)
    let results = Locked<[Int: Value]>([:])
    let failure = Locked<(item: Int, error: Failure)?>(nil)
    onEachWorker { worker in
      while true {
        // Checked before an item is taken: others may wait for what is done with it.
        guard failure.withLock({ $0 == nil }) else { return }
        let item = next.add(1, ordering: .relaxed).oldValue
        guard item < count else { return }
        do throws(Failure) {
          let value = try body(item, worker)
          results.withLock { $0[item] = value }
        } catch {
          failure.withLock { if item < $0?.item ?? count { $0 = (item, error) } }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
    return results.withLock { results in (0..<count).compactMap { results[$0] } }
  }
}
