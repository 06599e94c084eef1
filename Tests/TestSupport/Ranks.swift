import Dispatch
import Foundation
import Locking

/// Runs `body` for every rank's endpoint on its own thread, and returns each rank's result or error.
package func onEveryRank<Endpoint: Sendable, Value: Sendable>(
  _ endpoints: [Endpoint], _ body: @escaping @Sendable (Endpoint) throws -> Value
) -> [Result<Value, any Error>] {
  let finished = DispatchSemaphore(value: 0)
  let results = Results<Value>(count: endpoints.count)
  for (index, endpoint) in endpoints.enumerated() {
    Thread {
      let result = Result { try body(endpoint) }
      results.values.withLock { $0[index] = result }
      finished.signal()
    }.start()
  }
  // Far above what they take, because other programs may use the machine.
  let deadline = DispatchTime.now() + 600
  for _ in endpoints where finished.wait(timeout: deadline) == .timedOut { break }
  return results.values.withLock { $0 }
}

private final class Results<Value: Sendable>: Sendable {
  let values: Locked<[Result<Value, any Error>]>

  init(count: Int) { values = Locked(Array(repeating: .failure(NotFinished()), count: count)) }
}

/// A rank did not finish in time.
package struct NotFinished: Error {
  package init() {}
}
