/// How long a phase trains and at which rate: as planned at first, then as adjusted by validation.
///
/// A phase runs at the peak rate until ``stableEnd`` and cools down until ``end``. Only the `wsd` schedule
/// has a cool-down; for others `stableEnd` equals `end`. Validation
/// - starts the cool-down early if the task is learnt and nothing has improved for `patience` validations;
/// - starts another cycle of half the planned steps, at a lower peak rate, if the end is reached, the task
///   is not good enough (``ValidationScore/isGoodEnough``), it is not learnt yet or has improved in this
///   cycle, and the budget allows. More steps at the same rate helped less, because of gradient noise.
///
/// Decisions depend only on the scores and the budget, so that a resumed run makes the same ones, unless the
/// budget has minutes.
package struct PhasePace: Sendable, Equatable, Codable {
  /// The state with the best score so far.
  package struct Best: Sendable, Equatable, Codable {
    /// The optimiser step at which it was reached; 0 for the state that the phase started from.
    package var step: Int
    /// Its score.
    package var score: ValidationScore
  }

  /// The effect of a validation.
  package enum Change: String, Sendable, Codable {
    /// Nothing.
    case none
    /// The rate falls from now on, as planned or because nothing improves.
    case coolsDown
    /// The phase ends before its planned end.
    case ends
    /// Another cycle begins, at a lower peak rate.
    case restarts
  }

  /// The planned optimiser steps.
  package let planned: Int
  /// The last step at the peak rate, as currently planned.
  package private(set) var stableEnd: Int
  /// The last step, as currently planned.
  package private(set) var end: Int
  /// The step after which the current cycle began.
  package private(set) var cycleStart = 0
  /// The number of cycles before the current one.
  package private(set) var restarts = 0
  /// Whether the current cycle's `end` is final.
  package private(set) var isCooling = false
  /// The best state so far; `nil` before the first validation.
  package private(set) var best: Best?
  /// The score that later ones must improve on, and the number of validations since that did not.
  private(set) var reference: ValidationScore?
  private var misses = 0
  /// Tokens trained in this phase.
  package private(set) var tokens = 0
  /// Seconds of this phase's steps; counted only if the budget is in minutes.
  package private(set) var seconds = 0.0

  /// - Parameters:
  ///   - planned: optimiser steps.
  ///   - cooldown: the share of them in which the rate falls, 0..<1; 0 if the schedule has no cool-down.
  package init(planned: Int, cooldown: Double) {
    self.planned = planned
    end = planned
    stableEnd = planned - Int((cooldown * Double(planned)).rounded())
  }

  /// Whether these numbers, read from a file, are possible for a phase.
  var isSound: Bool {
    let most = 1 << 60
    return (1...most).contains(planned) && (0...most).contains(end) && (0...end).contains(stableEnd)
      && (0...stableEnd).contains(cycleStart) && (0...end).contains(restarts)
      && (0...most).contains(misses) && (0...most).contains(tokens) && seconds.isFinite && seconds >= 0
      && best.map { (0...most).contains($0.step) && $0.score.isSound } ?? true && reference?.isSound ?? true
  }

  /// Takes the score of the state that the phase starts from as the best so far.
  mutating func start(from score: ValidationScore) {
    best = Best(step: 0, score: score)
  }

  /// Adds the cost of a step.
  mutating func spend(tokens: Int, seconds: Double, _ options: TrainingOptions.Validation?) {
    self.tokens += tokens
    if options?.budget.minutes != nil { self.seconds += seconds }
  }

  /// Whether validation is due after a step.
  package func isDue(_ step: Int, _ options: TrainingOptions.Validation?) -> Bool {
    guard let options else { return false }
    return step % options.every == 0 || step == stableEnd || step == end
  }

  /// The number of validations if the phase ends as planned.
  package func plannedValidations(_ options: TrainingOptions.Validation?) -> Int {
    guard let options, end > 0 else { return 0 }
    let others = Set([stableEnd, end]).filter { $0 > 0 && $0 % options.every != 0 }
    return end / options.every + others.count
  }

  /// The next step after `step` at which validation is due or the phase ends.
  package func nextStop(after step: Int, _ options: TrainingOptions.Validation?) -> Int {
    guard let options else { return end }
    let next = (step / options.every + 1) * options.every
    return min(next, end, step < stableEnd ? stableEnd : end)
  }

  /// Records the score of the state after `step`.
  ///
  /// - Parameters:
  ///   - majority: the accuracy of the most frequent answer, 0...1.
  ///   - cooldown: the share that the pace was planned with.
  ///   - limit: the maximum steps of the phase.
  /// - Returns: whether the state is the best so far, and what changed.
  mutating func record(
    _ score: ValidationScore, step: Int, majority: Double, cooldown: Double, limit: Int,
    _ options: TrainingOptions.Validation
  ) -> (isBest: Bool, change: Change) {
    let isBest = score.isBetter(than: best?.score)
    if isBest { best = Best(step: step, score: score) }
    if score.improves(on: reference) {
      (reference, misses) = (score, 0)
    } else {
      misses += 1
    }
    var change = Change.none
    if !isCooling {
      let isLearnt = best?.score.isLearnt(majority: majority) ?? false
      let hasConverged = isLearnt && options.patience.map { misses >= $0 } ?? false
      guard hasConverged || step >= stableEnd else { return (isBest, .none) }
      change = coolDown(after: step, cooldown)
    }
    if step >= end, restart(after: step, majority, cooldown, limit, options) { change = .restarts }
    return (isBest, change)
  }

  private mutating func coolDown(after step: Int, _ cooldown: Double) -> Change {
    isCooling = true
    let wasEnd = end
    // If a cycle's rate falls from its first step, there is no earlier state to validate.
    if step < stableEnd {
      stableEnd = step
      end = min(end, whole(step, cooldown))
    }
    return end == step ? (step == wasEnd ? .none : .ends) : .coolsDown
  }

  /// Starts another cycle if the task needs one and the budget allows.
  private mutating func restart(
    after step: Int, _ majority: Double, _ cooldown: Double, _ limit: Int,
    _ options: TrainingOptions.Validation
  ) -> Bool {
    guard let best, !best.score.isGoodEnough else { return false }
    guard !best.score.isLearnt(majority: majority) || best.step > cycleStart else { return false }
    let cycle = max(1, planned / 2)
    guard fits(step + cycle, after: step, limit, options) else { return false }
    (cycleStart, end, isCooling, misses) = (step, step + cycle, false, 0)
    stableEnd = end - Int((cooldown * Double(cycle)).rounded())
    restarts += 1
    return true
  }

  /// Whether a phase of `whole` steps is within its budget, extrapolating from the first `step` steps.
  private func fits(_ whole: Int, after step: Int, _ limit: Int, _ options: TrainingOptions.Validation)
    -> Bool
  {
    let share = Double(whole) / Double(max(step, 1))
    if let most = options.budget.tokens, Double(tokens) * share > Double(most) { return false }
    if let most = options.budget.minutes, seconds * share > 60 * most { return false }
    return whole <= limit
  }

  /// The last step of a cycle whose rate begins to fall after step `stable`.
  private func whole(_ stable: Int, _ cooldown: Double) -> Int {
    guard cooldown > 0 else { return stable }
    let cycle = Double(stable - cycleStart) / (1 - cooldown)
    // Within the limits of a checkpoint's numbers, so that steps can be added.
    return max(stable + 1, cycleStart + Int(min(cycle.rounded(), 0x1p60)))
  }
}
