import ContextLoRA
import Testing

/// How validation changes a phase's planned steps.
struct PhasePaceTests {
  private func options(
    every: Int = 10, patience: Int? = 3, budget: TrainingOptions.Budget = .init(), cooldown: Double = 0.2,
    most: Int? = nil
  ) -> TrainingOptions {
    var options = TrainingOptions()
    options.validation = TrainingOptions.Validation(every: every, patience: patience, budget: budget)
    options.learningRate = LearningRateSchedule(
      peak: 1, shape: cooldown > 0 ? .wsd : .cosine, minimumRatio: 0.1, cooldown: cooldown)
    options.maximumSteps = most
    return options
  }

  private struct Course {
    var progress: PhaseProgress
    var reports: [(step: Int, report: ValidationReport)] = []
    var warnings: [TrainingWarning] = []
    var end: Int { progress.pace.end }
  }

  /// Simulates a phase whose accuracy and loss after a step are given by `score`; the majority accuracy is
  /// 0.4.
  private func course(
    planned: Int, _ options: TrainingOptions, tokens: Int = 100, seconds: Double = 1,
    _ score: (Int) -> (accuracy: Double, loss: Double)
  ) -> Course {
    let pace = PhasePace(planned: planned, cooldown: options.learningRate.cooldown)
    var course = Course(progress: PhaseProgress(pace, values: [1]))
    var step = 0
    while step < course.end, step < 10_000 {
      step += 1
      course.progress.spend(tokens: tokens, seconds: seconds, options)
      guard course.progress.pace.isDue(step, options.validation) else { continue }
      let (accuracy, loss) = score(step)
      let (report, warnings) = course.progress.record(
        ValidationScore(loss: loss, correct: Int((accuracy * 100).rounded()), count: 100), task: "t",
        step: step,
        majority: 0.4, seconds: 0, options)
      course.reports.append((step, report))
      course.warnings += warnings
    }
    return course
  }

  @Test("without validation a phase takes its planned steps")
  func plan() {
    let pace = PhasePace(planned: 50, cooldown: 0.2)
    #expect(pace.end == 50 && pace.stableEnd == 40)
    #expect((1...50).allSatisfy { !pace.isDue($0, nil) })
    #expect(pace.nextStop(after: 0, nil) == 50)
  }

  @Test("a phase that learns in time takes its planned steps, and is validated at their end")
  func learnsInTime() {
    let good = course(planned: 50, options()) { (min(1, 0.5 + Double($0) / 60), 2 / Double($0)) }
    #expect(good.end == 50)
    #expect(good.reports.map(\.step) == [10, 20, 30, 40, 50])
    #expect(good.reports[3].report.change == .coolsDown)
  }

  @Test("a phase in which nothing improves any more ends early, after a cool-down")
  func converged() {
    let course = course(planned: 200, options()) { $0 < 30 ? (0.5, 1) : (0.99, 0.05) }
    // The last improvement is at step 30; three validations later, the rate begins to fall.
    #expect(course.progress.pace.stableEnd == 60 && course.end == 75)
    #expect(course.progress.pace.best?.step == 30)
    let cosine = self.course(planned: 200, options(cooldown: 0)) { $0 < 30 ? (0.5, 1) : (0.99, 0.05) }
    #expect(cosine.end == 60 && cosine.reports.last?.report.change == .ends)
    #expect(self.course(planned: 200, options(patience: nil)) { _ in (0.99, 0.05) }.end == 200)
  }

  @Test("a phase on a plateau gets more steps until it has learnt, or the budget is spent")
  func plateau() {
    let late = course(planned: 50, options()) { $0 < 85 ? (0.41, 1.1) : (0.99, 0.05) }
    #expect(late.end == 100 && late.progress.pace.restarts == 2)
    #expect(late.progress.pace.best?.score.accuracy == 0.99)
    let never = course(planned: 50, options()) { _ in (0.41, 1.1) }
    #expect(never.end == 150)
    #expect(
      never.progress.closing(task: "t", values: [2], majority: 0.4, prerequisites: [:]).map(\.name) == [
        "not learnt"
      ])
    #expect(course(planned: 50, options(budget: .init(steps: 80))) { _ in (0.41, 1.1) }.end == 75)
    #expect(course(planned: 50, options(budget: .init(steps: 20))) { _ in (0.41, 1.1) }.end == 50)
    #expect(course(planned: 50, options(most: 70)) { _ in (0.41, 1.1) }.end == 50)
    let byTokens = course(planned: 50, options(budget: .init(tokens: 9_000))) { _ in (0.41, 1.1) }
    #expect(byTokens.progress.pace.tokens <= 9_000 && byTokens.end > 50)
    let byMinutes = course(planned: 50, options(budget: .init(minutes: 1.5))) { _ in (0.41, 1.1) }
    #expect(byMinutes.progress.pace.seconds <= 90 && byMinutes.end > 50)
    // Without a budget in minutes, no time is stored, so checkpoints are bit-identical.
    #expect(never.progress.pace.seconds == 0)
  }

  @Test("a mistake counts for more among few episodes")
  func goodEnough() {
    func isEnough(_ correct: Int, _ count: Int) -> Bool {
      ValidationScore(loss: 0.1, correct: correct, count: count).isGoodEnough
    }
    #expect(!isEnough(0, 0) && isEnough(1, 1) && isEnough(10, 10))
    #expect(isEnough(40, 40) && !isEnough(39, 40))
    #expect(isEnough(63, 64) && !isEnough(62, 64))
    #expect(isEnough(97, 100) && !isEnough(96, 100))
    #expect(isEnough(962, 1000) && !isEnough(950, 1000))
    // With 96 of 100 and still improving, there is another cycle; with 97, there is none.
    #expect(course(planned: 50, options()) { ($0 < 50 ? 0.9 : 0.96, 0.1) }.progress.pace.restarts == 1)
    #expect(course(planned: 50, options()) { ($0 < 50 ? 0.9 : 0.97, 0.1) }.progress.pace.restarts == 0)
  }

  @Test("the best state has the highest accuracy, ties broken by loss; a NaN loss never wins")
  func best() {
    let scores: [Int: (Double, Double)] = [
      10: (0.9, 0.5), 20: (0.9, 0.4), 30: (0.95, .nan), 40: (0.8, 0.1), 50: (0.9, 0.4),
    ]
    let course = course(planned: 50, options(patience: nil, budget: .init(steps: 50))) {
      scores[$0] ?? (0, 9)
    }
    #expect(course.progress.pace.best?.step == 20)
    #expect(course.reports.map(\.report.isBest) == [true, true, false, false, false])
    let none = self.course(planned: 20, options(budget: .init(steps: 20))) { _ in (1, .nan) }
    #expect(none.progress.pace.best == nil)
    // If every loss is NaN, the task is not learnt either.
    #expect(
      none.progress.closing(task: "t", values: [2], majority: 0.4, prerequisites: [:]).map(\.name) == [
        "not learnt"
      ])
  }

  @Test("a loss far above its best value is reported once")
  func diverges() {
    let course = course(planned: 100, options(patience: nil)) { $0 < 30 ? (0.9, 0.4) : (0.3, Double($0)) }
    #expect(course.warnings.map(\.name) == ["diverging"])
    #expect(course.warnings.first?.text.contains("step 40") == true)
  }

  @Test("columns whose norm is unchanged are reported")
  func still() {
    let progress = PhaseProgress(PhasePace(planned: 5, cooldown: 0), values: [3, 4])
    func names(_ values: [Float]) -> [String] {
      var progress = progress
      let good = ValidationScore(loss: 0, correct: 9, count: 9)
      _ = progress.record(good, task: "t", step: 5, majority: 0.4, seconds: 0, options())
      return progress.closing(task: "t", values: values, majority: 0.4, prerequisites: [:]).map(\.name)
    }
    #expect(names([3, 4]) == ["columns did not move"])
    #expect(names([3, 4.001]).isEmpty)
  }

  @Test("a significant drop of a prerequisite's accuracy is reported")
  func prerequisites() {
    var progress = PhaseProgress(PhasePace(planned: 5, cooldown: 0), values: [3])
    progress.prerequisites = [
      "p": ValidationScore(loss: 0.1, correct: 95, count: 100),
      "q": ValidationScore(loss: 0.1, correct: 95, count: 100),
    ]
    let after = [
      "p": ValidationScore(loss: 0.9, correct: 70, count: 100),
      "q": ValidationScore(loss: 0.1, correct: 93, count: 100),
    ]
    let good = ValidationScore(loss: 0, correct: 9, count: 9)
    _ = progress.record(good, task: "t", step: 5, majority: 0.4, seconds: 0, options())
    let warnings = progress.closing(task: "t", values: [4], majority: 0.4, prerequisites: after)
    #expect(
      warnings == [.prerequisiteDropped(task: "t", prerequisite: "p", before: 0.95, after: 0.7)])
  }

  @Test("a phase that is not good enough at its end gets another cycle at half the rate if it improved")
  func restarts() {
    let course = course(planned: 100, options(patience: nil)) { step in
      step < 90 ? (0.6, 1) : step < 130 ? (0.75, 0.6) : (1, 0.01)
    }
    // It improved during the cool-down, so it gets 50 more steps, which make it good enough.
    #expect(course.reports.contains { $0.step == 100 && $0.report.change == .restarts })
    #expect(course.end == 150 && course.progress.pace.restarts == 1)
    let schedule = options().learningRate
    #expect(schedule.rate(step: 101, course.progress.pace) == 0.5)
    #expect(abs(schedule.rate(step: 150, course.progress.pace) - 0.05) < 1e-12)
    // Stuck: nothing has improved since the first validation.
    let stuck = self.course(planned: 100, options(patience: nil)) { _ in (0.75, 0.6) }
    #expect(stuck.end == 150, "the first cycle found its best state")
    let limited = self.course(planned: 100, options(patience: nil, most: 120)) { _ in (0.75, 0.6) }
    #expect(limited.end == 100)
  }

  @Test("rates: warm-up, stable, cool-down; a cosine restarts beyond the planned steps")
  func rates() {
    let wsd = LearningRateSchedule(peak: 1, shape: .wsd, warmup: 0.1, minimumRatio: 0.1, cooldown: 0.2)
    let rates = (1...20).map { wsd.rate(step: $0, PhasePace(planned: 20, cooldown: 0.2)) }
    #expect(rates[0] == 0.5 && rates[1...15].allSatisfy { $0 == 1 })
    #expect(abs(rates[19] - 0.1) < 1e-12)
    for (earlier, later) in zip(rates[15...], rates[16...]) { #expect(later < earlier) }
    let cosine = LearningRateSchedule(peak: 1, shape: .cosine, warmup: 0.2, minimumRatio: 0.1)
    #expect(abs(cosine.rate(step: 10, PhasePace(planned: 10, cooldown: 0)) - 0.1) < 1e-12)
    let pace = course(planned: 10, options(cooldown: 0)) { _ in (0.41, 1.1) }.progress.pace
    #expect(pace.restarts == 4 && pace.cycleStart == 25)
    #expect(cosine.rate(step: 26, pace) == 0.25 && abs(cosine.rate(step: 30, pace) - 0.025) < 1e-12)
  }

  @Test("a cool-down that begins within the warm-up falls from the rate reached")
  func earlyCooldown() {
    let wsd = LearningRateSchedule(peak: 1, shape: .wsd, warmup: 0.5, minimumRatio: 0.1, cooldown: 0.2)
    let pace = course(planned: 200, options(every: 10)) { _ in (0.99, 0.05) }.progress.pace
    #expect(pace.stableEnd == 40 && pace.end == 50)
    let rates = (1...pace.end).map { wsd.rate(step: $0, pace) }
    #expect(rates[39] == 0.4 && rates.max() == 0.4)
    for (earlier, later) in zip(rates[39...], rates[40...]) { #expect(later < earlier) }
  }

  @Test("even a short phase takes no more steps than planned or than its limit")
  func shortPhases() {
    for planned in 1...8 {
      for cooldown in [0, 0.2, 0.5, 0.6, 0.9, 0.99] {
        let exact = course(planned: planned, options(cooldown: cooldown, most: planned)) { _ in (0.41, 1.1) }
        #expect(exact.end == planned, "planned \(planned), cool-down \(cooldown)")
        let limited = course(planned: planned, options(every: 1, cooldown: cooldown, most: planned + 3)) {
          _ in
          (0.41, 1.1)
        }
        #expect(limited.end <= planned + 3, "planned \(planned), cool-down \(cooldown)")
      }
    }
  }

  @Test("with every schedule, a phase that has stopped improving gets another cycle unless it is good enough")
  func convergedTooLow() {
    let cosine = course(planned: 200, options(cooldown: 0)) { _ in (0.6, 1) }
    #expect(cosine.reports.first { $0.report.change != .none }?.report.change == .restarts)
    #expect(cosine.end < 200)
  }
}
