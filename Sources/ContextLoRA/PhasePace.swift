/// How long a phase trains, and at which rate: the plan at first, then what validation makes of it.
///
/// A phase runs at the peak rate until ``stableEnd`` and cools down until ``end`` (schedules other than `wsd` have
/// no part of their own for that: `stableEnd` is `end`). Validation
/// - begins the cool-down early where nothing has improved for `patience` validations,
/// - begins another cycle of half the planned steps, at half the peak rate, where the end has come, the task is not
///   certainly good, it is on a plateau or has improved in this cycle, and the budget lasts. More steps at the same rate helped less: noise at a
///   high rate hides what a lower one finds.
///
/// Every decision follows from the scores alone, so that a resumed run, and every rank of a job, makes the same.
package struct PhasePace: Sendable, Equatable, Codable {
  /// The state that scored best so far.
  package struct Best: Sendable, Equatable, Codable {
    /// The optimiser step it was reached at.
    package var step: Int
    /// What it scored.
    package var score: ValidationScore
  }

  /// What a validation changed.
  package enum Change: String, Sendable, Codable {
    /// Nothing.
    case none
    /// The rate falls from now on, as planned or because nothing improves.
    case coolsDown
    /// The phase is over before its planned end.
    case ends
    /// Another cycle begins, at half the rate.
    case restarts
  }

  /// The planned optimiser steps.
  package let planned: Int
  /// The last step at the peak rate, as planned now.
  package private(set) var stableEnd: Int
  /// The last step, as planned now.
  package private(set) var end: Int
  /// The step after which the cycle began.
  package private(set) var cycleStart = 0
  /// Cycles before this one.
  package private(set) var restarts = 0
  /// Whether the cycle's `end` is final.
  package private(set) var isCooling = false
  /// The best state so far; `nil` before the first validation.
  package private(set) var best: Best?
  /// What later scores must improve on, and for how many validations none has.
  private var reference: ValidationScore?
  private var misses = 0
  /// Tokens trained in this phase.
  package private(set) var tokens = 0
  /// Seconds of this phase's steps; counted only where the budget is in minutes.
  package private(set) var seconds = 0.0

  /// The plan.
  ///
  /// - Parameters:
  ///   - planned: optimiser steps.
  ///   - cooldown: the share of them in which the rate falls, 0..<1; 0 where the schedule has no such part.
  package init(planned: Int, cooldown: Double) {
    self.planned = planned
    end = planned
    stableEnd = planned - Int((cooldown * Double(planned)).rounded())
  }

  /// Whether the numbers, read from a file, can be those of a phase.
  var isSound: Bool {
    let most = 1 << 60
    return (1...most).contains(planned) && (0...most).contains(end) && (0...end).contains(stableEnd)
      && (0...stableEnd).contains(cycleStart) && (0...end).contains(restarts)
      && (0...most).contains(misses) && (0...most).contains(tokens) && seconds.isFinite && seconds >= 0
      && best.map { (1...most).contains($0.step) && $0.score.isSound } ?? true && reference?.isSound ?? true
  }

  /// Notes what a step cost.
  mutating func spend(tokens: Int, seconds: Double, _ options: TrainingOptions.Validation?) {
    self.tokens += tokens
    if options?.budget.minutes != nil { self.seconds += seconds }
  }

  /// Whether the state after a step is to be validated.
  package func isDue(_ step: Int, _ options: TrainingOptions.Validation?) -> Bool {
    guard let options else { return false }
    return step % options.every == 0 || step == stableEnd || step == end
  }

  /// The next step after `step` with a validation or the phase's end.
  package func nextStop(after step: Int, _ options: TrainingOptions.Validation?) -> Int {
    guard let options else { return end }
    let next = (step / options.every + 1) * options.every
    return min(next, end, step < stableEnd ? stableEnd : end)
  }

  /// Takes the score of the state after `step`.
  ///
  /// - Parameters:
  ///   - majority: the accuracy of the most frequent answer, 0...1.
  ///   - cooldown: as planned with.
  ///   - limit: the most steps of the phase.
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
    // A cycle whose rate falls from its first step on has no state before that to validate.
    if step < stableEnd {
      stableEnd = step
      end = min(end, whole(step, cooldown))
    }
    return end == step ? (step == wasEnd ? .none : .ends) : .coolsDown
  }

  /// Begins another cycle, where the task needs one and the budget allows.
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

  /// Whether a phase of `whole` steps is within its budget, as its first `step` steps went.
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
    return max(stable + 1, cycleStart + Int(cycle.rounded()))
  }
}
