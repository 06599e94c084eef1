import Dispatch
import Foundation
import Synchronization
import Transport

/// Runs `body` for every endpoint on a thread of its own, and returns what each gave or threw.
func onEveryRank<Endpoint: Transport, Value: Sendable>(
  _ endpoints: [Endpoint], _ body: @escaping @Sendable (Endpoint) throws -> Value
) -> [Result<Value, any Error>] {
  let results = endpoints.map { _ in Promise<Result<Value, any Error>>() }
  for (endpoint, result) in zip(endpoints, results) {
    Thread { result.keep(Result { try body(endpoint) }) }.start()
  }
  return results.map { result in
    result.wait(seconds: 60) ?? .failure(NotFinished())
  }
}

struct NotFinished: Error {}

extension MessageBuffer {
  /// A buffer that holds a text.
  convenience init(text: String) { self.init(Array(text.utf8)) }

  /// The first `count` bytes as text.
  func text(_ count: Int) -> String { String(decoding: prefix(count), as: UTF8.self) }
}
