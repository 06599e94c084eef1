import Runs
import TextTables

/// Shows how far the reading and rendering of data is, if it takes long.
final class PreparationProgress {
  private let start = ContinuousClock.now
  private var last: ContinuousClock.Instant?

  /// A line, at most every few seconds; `nil` in between, and for data that is soon ready.
  func line(_ progress: DataPreparation) -> String? {
    let now = ContinuousClock.now
    guard now - start > .seconds(3), last.map({ now - $0 > .seconds(5) }) ?? true, progress.all > 0 else {
      return nil
    }
    last = now
    let share = "\(100 * progress.done / progress.all) %"
    switch progress.stage {
    case .reading: return "Reading \(progress.path): \(share)"
    case .measuring: return "Measuring shortcut baselines: \(progress.done) of \(progress.all) tasks"
    case .rendering:
      return "Rendering \(progress.path): \(NumberText.grouped(progress.done)) of "
        + "\(NumberText.grouped(progress.all)) episodes"
    }
  }

  /// Writes the line, if there is one, to standard error.
  func show(_ progress: DataPreparation) {
    if let line = line(progress) { Console.complain(line) }
  }
}
