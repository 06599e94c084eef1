import Foundation
import Locking

/// Runs blocking work away from the threads of Swift's tasks, no more of it at once than there are processors.
final class Workers: Sendable {
  private let queue: OperationQueue

  init(count: Int = ProcessInfo.processInfo.activeProcessorCount) {
    precondition(count > 0, "Workers: no worker")
    queue = OperationQueue()
    queue.maxConcurrentOperationCount = count
  }

  /// Waits for a free worker and lets it do the work.
  ///
  /// A task that is cancelled while it waits throws `CancellationError` at once; work that has begun is asked to end.
  func run<Value: Sendable>(
    _ work: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) throws -> Value
  ) async throws -> Value {
    let job = Job<Value>()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard job.wait(continuation) else { return }
        queue.addOperation {
          guard job.begin() else { return }
          job.end(Result { try work { job.isCancelled } })
        }
      }
    } onCancel: {
      job.cancel()
    }
  }
}

/// The state of one piece of work: waiting, begun, ended. Whoever takes the continuation resumes it.
private final class Job<Value: Sendable>: Sendable {
  private struct State {
    var continuation: CheckedContinuation<Value, any Error>?
    var hasBegun = false
    var isCancelled = false
  }

  private let state = Locked(State())

  var isCancelled: Bool { state.withLock(\.isCancelled) }

  /// Keeps the continuation; `false` if the task was cancelled before, which resumes it.
  func wait(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
    let waits = state.withLock { state in
      if !state.isCancelled { state.continuation = continuation }
      return !state.isCancelled
    }
    if !waits { continuation.resume(throwing: CancellationError()) }
    return waits
  }

  /// Whether the work is still wanted.
  func begin() -> Bool {
    state.withLock { state in
      state.hasBegun = state.continuation != nil
      return state.hasBegun
    }
  }

  func end(_ result: Result<Value, any Error>) {
    take { _ in true }?.resume(with: result)
  }

  func cancel() {
    take { state in
      state.isCancelled = true
      return !state.hasBegun
    }?.resume(throwing: CancellationError())
  }

  private func take(if condition: (inout State) -> Bool) -> CheckedContinuation<Value, any Error>? {
    state.withLock { state in
      guard condition(&state) else { return nil }
      defer { state.continuation = nil }
      return state.continuation
    }
  }
}
