/// What became of a run.
package enum RunState: Sendable, Equatable {
  case running
  case finished
  /// It was asked to stop, and can be resumed.
  case stopped
  case failed(String)
  /// Its process ended without a word, in a training after that many optimiser steps.
  case died(step: Int?)
  /// For a minute there has been no sign of life of its process, which is on another machine.
  case silent(host: String, step: Int?)

  /// In words.
  package var text: String {
    switch self {
    case .running: "running"
    case .finished: "finished"
    case .stopped: "stopped"
    case .failed: "failed"
    case .died(let step): "died" + (step.map { " at step \($0)" } ?? "")
    case .silent(let host, let step):
      "no sign of life from \(host)" + (step.map { " after step \($0)" } ?? "")
    }
  }

  /// A name without details.
  var name: String {
    switch self {
    case .running: "running"
    case .finished: "finished"
    case .stopped: "stopped"
    case .failed: "failed"
    case .died: "died"
    case .silent: "silent"
    }
  }

  /// Seconds without a sign of life after which a run is looked for.
  package static let patience = 60.0

  /// The state of a run without an outcome.
  ///
  /// - Parameters:
  ///   - silence: the seconds since its last sign of life.
  ///   - steps: the optimiser steps of a training so far; `nil` for another kind of run.
  package static func unfinished(silence: Double, process: ProcessIdentity, steps: Int?) -> RunState {
    guard silence > patience else { return .running }
    switch process.isRunning {
    case true?: return .running
    case false?: return .died(step: steps)
    case nil: return .silent(host: process.host, step: steps)
    }
  }
}

extension RunState: Encodable {
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }
}
