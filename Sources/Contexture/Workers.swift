import Foundation
import Locking

/// Runs blocking work outside Swift's cooperative thread pool, on at most `count` threads.
final class Workers: Sendable {
  private let queue: OperationQueue

  init(count: Int = ProcessInfo.processInfo.activeProcessorCount) {
    precondition(count > 0, "Workers: no worker")
    queue = OperationQueue()
    queue.maxConcurrentOperationCount = count
  }

  /// Runs `work` as soon as a worker is free.
  ///
  /// - Throws: the error of `work`; `CancellationError` if the calling Swift task is cancelled before `work`
  ///   starts. Later, `isCancelled` returns `true` and `work` should end.
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

/// The state of one piece of work: waiting, begun, ended. The caller that takes the continuation resumes it.
private final class Job<Value: Sendable>: Sendable {
  private struct State {
    var continuation: CheckedContinuation<Value, any Error>?
    var hasBegun = false
    var isCancelled = false
  }

  private let state = Locked(State())

  var isCancelled: Bool { state.withLock(\.isCancelled) }

  /// Stores the continuation. If the Swift task is already cancelled, resumes it instead and returns `false`.
  func wait(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
    let waits = state.withLock { state in
      if !state.isCancelled { state.continuation = continuation }
      return !state.isCancelled
    }
    if !waits { continuation.resume(throwing: CancellationError()) }
    return waits
  }

  /// Marks the work as begun; `false` if it was cancelled.
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
